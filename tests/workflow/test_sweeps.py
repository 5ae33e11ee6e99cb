"""A sweep on a few real clips, killed half-way and gone on with; and every stage as a target."""

import os
import re
import shutil
import signal
import subprocess

import pytest
import yaml
from PIL import Image

from polymatch.data.tables import read_table
from polymatch.settings.config import load_config

from .conftest import CONFIG, Checkout

SPACE = "results/few/efficientnet_minilm"
EPOCHS = "results/sweeps/epochs"
SWEEPS = {
    "epochs": {
        "model": "poly_domain",
        "grid": {"training.epochs": [1, 2, 3]},
        "beside": ["aligned", "pcme"],
    },
    "rates": {
        "model": "poly_domain",
        "grid": {"training.lr": ["5e-6", 1.0e-3], "variance.weight": [0.1, 1]},
    },
}
SWEPT = {**CONFIG, "sweeps": SWEEPS}
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("finished")]


@pytest.fixture(scope="module")
def sweeping(finished, tmp_path_factory):
    """A copy of the finished checkout whose configuration has sweeps, none of which has run."""
    folder = tmp_path_factory.mktemp("sweeping") / "checkout"
    shutil.copytree(finished.folder, folder)
    checkout = Checkout(folder)
    checkout.write_config(SWEPT)
    return checkout


@pytest.fixture(scope="module")
def swept(sweeping):
    """The epochs sweep: killed after its first training, then gone on with to the end."""
    sweeping.planned_before = sweeping.planned(f"{EPOCHS}.csv")
    process = subprocess.Popen(
        sweeping.command(f"{EPOCHS}.csv", f"{EPOCHS}.pdf"),
        cwd=sweeping.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    said = ""
    for line in process.stdout:
        said += line
        if " steps (" in line and trained_runs(said):  # it is on record
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    sweeping.killed = process.returncode
    sweeping.at_the_kill = {run: times(sweeping)[run] for run in trained_runs(said)}
    assert sweeping.run("--unlock").returncode == 0
    done = sweeping.run("--rerun-incomplete", f"{EPOCHS}.csv", f"{EPOCHS}.pdf")
    assert done.returncode == 0, done.stdout[-4000:]
    return sweeping


def trained_runs(said):
    """Folders of the runs whose training had finished, from what Snakemake said."""
    job = r"rule train:(?:\n +.*)*?\n +output: (\S+)/model\.safetensors(?:.*\n)+? +jobid: (\d+)"
    folders = {number: folder for folder, number in re.findall(job, said)}
    return [folders[n] for n in re.findall(r"Finished jobid: (\d+) \(Rule: train\)", said)]


def times(checkout):
    """Folder of a run -> when its training ended."""
    runs = (checkout.folder / SPACE / "runs").glob("*/*/history.csv")
    return {str(p.parent.relative_to(checkout.folder)): p.stat().st_mtime_ns for p in runs}


def test_a_sweep_in_the_config_changes_nothing_of_the_main_job(sweeping):
    # But the page, which says what sweeps there are.
    assert sweeping.planned() == {"report_page": 1}


def test_a_combination_that_is_there_is_not_trained_again_nor_its_surrogate_fitted(swept):
    # Two new numbers of epochs (2 stands under `models`) and two seeds.
    assert swept.planned_before == {
        "train": 4,
        "score": 4,
        "evaluate": 4,
        "measure": 2,
        "sweep": 1,
    }


def test_a_killed_sweep_goes_on_where_it_was(swept):
    assert swept.killed == -signal.SIGKILL
    now = times(swept)
    new = {run for run in now if "training.epochs" in run}
    assert len(new) == 4
    assert swept.at_the_kill and set(swept.at_the_kill) < new
    assert {run: now[run] for run in swept.at_the_kill} == swept.at_the_kill
    assert not list((swept.folder / "results").rglob("*partial*"))
    assert swept.planned(f"{EPOCHS}.csv", f"{EPOCHS}.pdf") == {}


def test_the_table_has_the_grid_and_what_stands_beside_it(swept):
    table = read_table(swept.folder / f"{EPOCHS}.csv", "sweep")
    names = ["poly_domain.training.epochs_1", "poly_domain", "poly_domain.training.epochs_3"]
    assert table["model"].tolist() == [*names, "aligned", "pcme", "pcme", "pcme"]
    assert table["training.epochs"].tolist() == ["1", "2", "3", "", "", "", ""]
    assert table["seeds"].tolist() == [2, 2, 2, 1, 2, 2, 2]
    grid = table[table["part"] == "grid"]
    assert table["chosen"].sum() == 1
    assert grid.loc[grid["chosen"], "val_rsum"].item() == grid["val_rsum"].max()
    summary = read_table(swept.folder / "results/summary.csv", "summary")
    assert set(summary["model"]) == set(load_config(SWEPT).models)
    same = summary[summary["model"] == "poly_domain"]
    assert grid["t2v_r5"].iloc[1] == pytest.approx(same["t2v_r5"].mean())


def test_the_figure_is_there(swept):
    assert Image.open(swept.folder / f"{EPOCHS}.png").size[0] > 1000
    assert (swept.folder / f"{EPOCHS}.pdf").read_bytes()[:4] == b"%PDF"
    assert b"<svg" in (swept.folder / f"{EPOCHS}.svg").read_bytes()


def test_the_best_entry_goes_into_the_main_job_as_it_is(swept):
    best = f"{EPOCHS}.best.yaml"
    models = yaml.safe_load((swept.folder / best).read_text())["models"]
    assert list(models) == ["poly_domain.epochs_best"]
    load_config({**SWEPT, "models": {**CONFIG["models"], **models}})
    planned = swept.planned("results/summary.csv", "--configfile", "config/config.yaml", best)
    assert planned == {
        "train": 2,
        "score": 2,
        "evaluate": 2,
        "certify": 2,
        "measure": 1,
        "summarise": 1,
    }


def test_one_run_of_a_sweep_can_be_asked_for_alone(swept):
    name = "poly_domain.training.lr_5e-6.variance.weight_0.1"
    planned = swept.planned(f"{SPACE}/runs/{name}/1/poly.metrics.json")
    assert planned == {"train": 1, "score": 1, "evaluate": 1}


def test_all_sweeps_are_one_target(swept):
    planned = swept.planned("sweeps")
    assert planned["train"] == 8 and planned["sweep"] == planned["plot_sweep"] == 1


def test_an_unknown_sweep_is_answered_with_the_known_ones(sweeping):
    done = sweeping.run("-n", "results/sweeps/epoch.csv")
    assert done.returncode != 0
    assert "unknown sweep 'epoch'; did you mean 'epochs'? allowed: epochs, rates" in done.stdout


def test_a_bad_value_in_a_sweep_stops_before_any_job(fresh):
    fresh.write_config({**CONFIG, "sweeps": {"s": {"model": "pcme", "grid": {"tau": [0.1, 0]}}}})
    done = fresh.run("results/few/manifest.parquet")
    assert done.returncode != 0
    assert "ConfigError: sweeps.s.grid.tau: 0 is not allowed: " in done.stdout
    assert not (fresh.folder / "results").exists()


def test_every_stage_is_a_target_of_its_own(fresh):
    """The commands of README's section on targets, on this data set."""
    fresh.write_config(SWEPT)
    run = f"{SPACE}/runs/poly_domain/0"
    targets = [
        "results/few/manifest.parquet",
        f"{SPACE}/features/pooled.h5",
        f"{SPACE}/embeddings/items.h5",
        f"{SPACE}/teachers/domain.parquet",
        f"{SPACE}/surrogates/poly_domain.json",
        f"{run}/model.safetensors",
        f"{SPACE}/runs/poly_domain/curves.pdf",
        f"{run}/poly.npy",
        f"{run}/poly.metrics.json",
        f"{run}/poly.latency.json",
        f"{run}/certificate.json",
        f"{SPACE}/runs/pcme/0/mc.metrics.json",
        f"{SPACE}/runs/aligned/0/cosine.metrics.json",
        f"{EPOCHS}.csv",
    ]
    done = fresh.run("-n", *targets)
    assert done.returncode == 0, done.stdout
    outputs = set(re.findall(r"[^\s,]+", " ".join(re.findall(r"output: (.*)", done.stdout))))
    assert set(targets) <= outputs
