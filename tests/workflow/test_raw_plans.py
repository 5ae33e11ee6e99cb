"""Configs of raw data sets, planned where nothing is there: what would be fetched, and how."""

import shutil

import pytest

from .conftest import ROOT, make_checkout

pytestmark = pytest.mark.xdist_group("raw_plans")

# Files fetched, jobs that extract a side, gathered features and lists of problems.
PLANS = {"msrvtt": (2, 10, 8), "coco": (4, 20, 4), "flickr30k": (2, 4, 4)}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    made = make_checkout(tmp_path_factory.mktemp("raw_plans"))
    for name in PLANS:
        shutil.copy(ROOT / f"config/{name}.yaml", made.folder / "config")
    return made


@pytest.mark.parametrize("name", PLANS)
def test_all_of_it_is_planned_from_nothing_and_nothing_is_fetched(checkout, name):
    planned = checkout.planned("results/summary.csv", "--configfile", f"config/{name}.yaml")
    fetched, shards, gathered = PLANS[name]
    assert planned["download"] == fetched
    assert planned["extract_items"] == planned["extract_captions"] == shards
    assert planned["gather_features"] == gathered
    assert planned["prepare"] == planned["align"] == planned["tokenise"] == 1
    assert planned["train"] > 10 and planned["evaluate"] >= planned["train"]
    assert not (checkout.folder / "resources" / name).exists()


@pytest.mark.parametrize("name", PLANS)
def test_unasked_what_is_missing_is_listed_before_any_job(checkout, name):
    done = checkout.run("-n", "--configfile", f"config/{name}.yaml", "--config", "download=false")
    assert done.returncode != 0
    fetched = PLANS[name][0]
    assert (
        f"resources/{name}: {fetched} of {fetched} files are missing; set `download: true` to "
        "fetch them, or place them by hand:"
    ) in done.stdout
    assert done.stdout.count("  put it    ") == done.stdout.count("  licence   ") == fetched
    assert "Building DAG" not in done.stdout and "Traceback" not in done.stdout
