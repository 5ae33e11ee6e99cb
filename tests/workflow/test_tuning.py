"""A study on a few real clips: a target like any other, killed half-way and gone on with."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

from polymatch.data.tables import read_table
from polymatch.settings.config import load_config

from .conftest import CONFIG, make_checkout

FOLDER = "results/tuning/small"
BEST = f"{FOLDER}/best.yaml"
FIGURES = [f"{FOLDER}/{name}.pdf" for name in ("history", "importance", "parallel")]
TRIALS = 10
STUDY = {
    "base": {
        "family": "probabilistic",
        "loss": "mean",
        "similarities": ["mean"],
        "hidden": 16,
        "training": {"epochs": 3, "batch_size": 8},
    },
    "space": {
        "tau": {"low": 0.01, "high": 1.0, "log": True},
        "training.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "trials": TRIALS,
    "workers": 2,
    "captions": 20,
    "epochs": 12,
    "pruner": {"type": "none"},
}
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("tuning")]


def write_study(checkout, **changes):
    path = checkout.folder / "config/tuning/small.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**STUDY, **changes}, sort_keys=False))


def finished_trials(checkout):
    journal = checkout.folder / FOLDER / "journal.log"
    return journal.read_text().count('"state":1') if journal.exists() else 0


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The study: everything killed after its second trial, then gone on with to the end."""
    checkout = make_checkout(tmp_path_factory.mktemp("tuned"))
    write_study(checkout)
    checkout.planned_before = checkout.planned(BEST)
    process = subprocess.Popen(
        checkout.command(BEST), cwd=checkout.folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    while process.poll() is None and finished_trials(checkout) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)  # workers are in the same session, and gone with it
    checkout.at_the_kill = finished_trials(checkout)
    assert not (checkout.folder / BEST).exists()
    checkout.run("--unlock")
    done = checkout.run("--rerun-incomplete", BEST, *FIGURES)
    assert done.returncode == 0, done.stdout[-4000:]
    checkout.output = done.stdout
    return checkout


def test_a_study_is_a_target_that_needs_no_model_of_the_config(tuned):
    needed = {"prepare", "extract_items", "extract_captions", "align", "tune"}
    assert set(tuned.planned_before) == needed
    assert tuned.planned(BEST, *FIGURES) == {}


def test_a_killed_study_runs_exactly_the_missing_trials(tuned):
    assert 2 <= tuned.at_the_kill < TRIALS
    table = read_table(tuned.folder / FOLDER / "trials.csv", "trials")
    states = table["state"].value_counts()
    # A worker that was killed before its trial said whose it is leaves it running: it may be
    # another machine's.
    assert states["complete"] == TRIALS
    assert set(states.index) <= {"complete", "failed", "running"}
    assert states.get("failed", 0) + states.get("running", 0) <= 2
    assert (table.loc[table["state"] == "failed", "reason"] == "interrupted").all()
    assert f"; {TRIALS} of {TRIALS} finished" in tuned.output
    assert "; 2 of " not in tuned.output


def test_two_workers_share_the_study_and_leave_no_lock(tuned):
    text = (tuned.folder / FOLDER / "journal.log").read_text()
    pids = {line.split('"pid":')[1].split(",")[0] for line in text.splitlines() if '"pid"' in line}
    assert len(pids) >= 3  # of both runs
    assert not list((tuned.folder / FOLDER).glob("*lock*"))
    assert not list((tuned.folder / "results").rglob("*partial*"))


def test_the_best_entry_goes_into_the_main_workflow_as_it_is(tuned):
    text = (tuned.folder / BEST).read_text()
    models = yaml.safe_load(text)["models"]
    config = load_config({**CONFIG, "models": {**CONFIG["models"], **models}})
    assert config.models["small_best"].training.epochs == 3
    table = read_table(tuned.folder / FOLDER / "trials.csv", "trials")
    best = table.loc[table["value"].idxmax()]
    assert f"{config.models['small_best'].tau}" == best["tau"]
    target = "results/few/efficientnet_minilm/runs/small_best/0/mean.metrics.json"
    beside = ("--configfile", "config/config.yaml", BEST)
    evaluation = {"relate": 1, "categorise": 1, "evaluate": 1}
    assert tuned.planned(target, *beside) == {"train": 1, "score": 1, **evaluation}


def test_the_figures_are_there(tuned):
    assert all((tuned.folder / path).read_bytes()[:4] == b"%PDF" for path in FIGURES)
    assert Image.open((tuned.folder / FIGURES[2]).with_suffix(".png")).size[0] > 500
    for path in map(Path, FIGURES):
        read_table(tuned.folder / path.with_suffix(".csv"), f"tuning_{path.stem}")
        assert b"<svg" in (tuned.folder / path.with_suffix(".svg")).read_bytes()


def test_another_search_space_under_the_old_name_is_refused(tuned):
    write_study(tuned, space={**STUDY["space"], "tau": {"low": 0.02, "high": 1.0, "log": True}})
    done = tuned.run(BEST)
    write_study(tuned)
    assert done.returncode != 0
    said = [line for line in done.stdout.splitlines() if line.startswith("ConfigError:")]
    assert len(said) == 1 and "space.tau.low: was 0.01, is 0.02;" in said[0]
    assert "give the study another name" in said[0]
    assert (tuned.folder / FOLDER / "journal.log").exists()


def test_more_trials_go_on_with_the_study(tuned):
    before = finished_trials(tuned)
    write_study(tuned, trials=TRIALS + 2, workers=1)
    done = tuned.run(BEST)
    assert done.returncode == 0, done.stdout[-3000:]
    assert finished_trials(tuned) == before + 2
    write_study(tuned)


def test_what_is_wrong_in_a_study_stops_before_any_job(tuned):
    write_study(tuned, trails=3)
    done = tuned.run("-n", BEST)
    write_study(tuned)
    assert done.returncode != 0
    assert "small.yaml: trails: unknown key 'trails'; did you mean 'trials'?" in done.stdout
    done = tuned.run("-n", "results/tuning/smal/best.yaml")
    assert done.returncode != 0
    assert "unknown study 'smal'" in done.stdout and "did you mean 'small'?" in done.stdout
