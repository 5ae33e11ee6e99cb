"""A study whose workers are jobs: two at once, one of them killed, and exactly as many trials."""

import os
import signal
import subprocess
import time

import psutil
import pytest

from polymatch.data.tables import read_table

from .conftest import make_checkout
from .test_tuning import BEST, FOLDER, STUDY, TRIALS, finished_trials, write_study

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("tuning_jobs")]


def workers_of(process):
    """Processes of this run that run trials."""
    found = psutil.Process(process.pid).children(recursive=True)
    commands = [(child, child.cmdline()) for child in found if child.is_running()]
    return [child for child, words in commands if "--worker" in words and "python" in words[0]]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The study by two jobs, of which one is killed after the second trial; then gone on with."""
    checkout = make_checkout(tmp_path_factory.mktemp("tuned"))
    write_study(checkout, jobs=True)
    checkout.planned_before = checkout.planned(BEST)
    process = subprocess.Popen(
        checkout.command(BEST), cwd=checkout.folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    while finished_trials(checkout) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    checkout.at_once = len(workers_of(process))
    workers_of(process)[0].send_signal(signal.SIGKILL)
    # The other one goes on to the end of the study; the killed one's job has failed.
    assert process.wait(timeout=300) != 0
    checkout.after_the_kill = finished_trials(checkout)
    assert not (checkout.folder / BEST).exists()
    done = checkout.run(BEST)
    assert done.returncode == 0, done.stdout[-4000:]
    checkout.output = done.stdout
    return checkout


def test_each_worker_is_a_job_that_needs_one_core(tuned):
    assert tuned.planned_before["tune_worker"] == STUDY["workers"] == 2
    assert tuned.planned_before["tune"] == 1
    assert tuned.at_once == 2
    assert not list((tuned.folder / FOLDER).rglob("*.done"))
    assert tuned.planned(BEST) == {}


def test_the_others_do_the_trials_of_a_killed_one_and_no_more(tuned):
    assert tuned.after_the_kill == TRIALS
    table = read_table(tuned.folder / FOLDER / "trials.csv", "trials")
    states = table["state"].value_counts()
    assert states["complete"] == TRIALS and states.get("failed", 0) <= 1
    assert (table.loc[table["state"] == "failed", "reason"] == "interrupted").all()
    # The job that was killed ran again, and found nothing left to do.
    assert f"{TRIALS} of {TRIALS} finished" not in tuned.output


def test_one_job_with_all_workers_goes_on_with_the_same_study(tuned):
    write_study(tuned, trials=TRIALS + 2)
    done = tuned.run(BEST)
    assert done.returncode == 0, done.stdout[-3000:]
    assert finished_trials(tuned) == TRIALS + 2
    assert "tune_worker" not in done.stdout
