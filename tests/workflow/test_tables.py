"""A table of a publication on a few real clips: its rows are made when it is asked for."""

import shutil

import pytest
from PIL import Image

from polymatch.data.tables import read_table

from .conftest import CONFIG, Checkout

TABLE = "results/tables/sizes"
ROWS = {
    "DE": {"model": "dual", "about": "as it is"},
    "C": {"model": "DE", "change": {"items.bidirectional": False}, "about": "one direction"},
    "D": {"model": "DE", "pruned": {"rate": 0.3}, "about": "weights pruned"},
    "I": {"model": "C", "pruned": {"method": "int8"}},
}
TABLED = {**CONFIG, "tables": {"sizes": {"rows": ROWS}}}
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("finished")]


@pytest.fixture(scope="module")
def tabled(finished, tmp_path_factory):
    """A copy of the finished checkout with a table, which has been asked for."""
    folder = tmp_path_factory.mktemp("tabled") / "checkout"
    shutil.copytree(finished.folder, folder)
    checkout = Checkout(folder)
    checkout.write_config(TABLED)
    checkout.planned_before = checkout.planned(), checkout.planned(f"{TABLE}.csv")
    done = checkout.run(f"{TABLE}.csv", f"{TABLE}.pdf")
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def test_a_table_changes_nothing_of_the_main_job_and_its_runs_are_made_once(tabled):
    nothing, planned = tabled.planned_before
    assert nothing == {"report_page": 1}  # which says what tables there are
    # Three rows are new, two seeds each.
    assert planned == {"train": 6, "score": 6, "evaluate": 6, "measure": 3, "size_table": 1}
    assert tabled.planned(f"{TABLE}.csv", f"{TABLE}.md") == {}


def test_rows_stand_beside_the_reference_with_what_they_take(tabled):
    table = read_table(tabled.folder / f"{TABLE}.csv", "size_table").set_index("label")
    assert table["model"].tolist() == ["dual", "sizes.C", "sizes.D", "sizes.I"]
    assert table.loc["DE", ["size_ratio", "rsum_vs_reference"]].tolist() == [1.0, 0.0]
    assert (table["size_ratio"][1:] < 1).all() and (table["seeds"] == 2).all()
    assert table.loc["I", "stored_mb"] < table.loc["C", "stored_mb"]
    runs = tabled.folder / "results/few/efficientnet_minilm/runs"
    weights = runs / "sizes.D/0/model.safetensors"
    assert table.loc["D", "stored_mb"] == weights.stat().st_size / 2**20
    summary = read_table(tabled.folder / "results/summary.csv", "summary")
    same = summary[(summary["model"] == "dual") & (summary["similarity"] == "hybrid")]
    assert table.loc["DE", "t2v_r5"] == pytest.approx(same["t2v_r5"].mean())
    sums = table[["v2t_rsum", "t2v_rsum"]].sum(axis=1)
    assert sums.tolist() == pytest.approx(table["rsum"].tolist())


def test_people_get_a_table_and_a_figure(tabled):
    lines = (tabled.folder / f"{TABLE}.md").read_text().splitlines()
    assert len(lines) == 2 + len(ROWS) and lines[4].startswith("| D | weights pruned | 0.")
    assert Image.open(tabled.folder / f"{TABLE}.png").size[0] > 1000
    assert b"<svg" in (tabled.folder / f"{TABLE}.svg").read_bytes()


def test_an_unknown_table_is_answered_with_the_known_ones(tabled):
    done = tabled.run("-n", "results/tables/size.csv")
    assert done.returncode != 0
    assert "unknown table 'size'; did you mean 'sizes'? allowed: sizes" in done.stdout
