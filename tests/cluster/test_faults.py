"""What goes wrong on a cluster: each time the job comes back, and nothing else runs again."""

import re
import signal

import pytest

from .conftest import SPACE, config, same_but_for

RUN = f"{SPACE}/runs/pcme"
TARGET = f"{RUN}/0/model.safetensors"
TRAIN = "workflow/scripts/train.py"

pytestmark = pytest.mark.slurm


@pytest.fixture
def checkout(without_a_run):
    """As it is before the fault; afterwards all but the training is as it was, and no job waits."""
    before = without_a_run.files()
    seen = len(without_a_run.cluster.completed())
    without_a_run.ended = lambda: without_a_run.cluster.completed()[seen:]
    yield without_a_run
    after = without_a_run.files()
    assert same_but_for(before, after, RUN)
    assert not without_a_run.cluster.command("squeue", "--noheader")


def asked(checkout, name):
    """What the jobs that came to an end had asked for, with how each ended."""
    return [(job["JobState"], re.search(name, str(job))[1]) for job in checkout.ended()]


def test_a_job_killed_for_memory_comes_back_with_more(checkout):
    checkout.write_config(config(rules={"train": {"mem_mb": 350}}, growth=4))
    said = checkout.finish(checkout.start(TARGET))
    assert re.search(r"SLURM-job '\d+' failed, SLURM status is: '(FAILED|OUT_OF_MEMORY)'", said)
    assert re.search(r"exceeded memory limit \(\d+ > \d+\), being killed", checkout.job_logs())
    assert asked(checkout, r"mem=(\w+)") == [("FAILED", "350M"), ("COMPLETED", "1400M")]


def test_a_job_over_its_time_comes_back_with_more(checkout):
    checkout.write_config(config(rules={"train": {"runtime": 1}}))
    process = checkout.start(TARGET)
    # As one that waits for a file system does: it gets nowhere, and does not end.
    checkout.working(TRAIN, process).send_signal(signal.SIGSTOP)
    said = checkout.finish(process)
    assert re.search(r"SLURM-job '\d+' failed, SLURM status is: 'TIMEOUT'", said)
    assert re.search(r"CANCELLED AT \S+ DUE TO TIME LIMIT", checkout.job_logs())
    assert asked(checkout, r"'TimeLimit': '(\d+)'") == [("TIMEOUT", "1"), ("COMPLETED", "2")]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_cancelled_job_is_submitted_again_if_it_may_be(checkout, retries):
    process = checkout.start("--retries", str(retries), TARGET)
    checkout.working(TRAIN, process)
    checkout.cluster.command("scancel", *checkout.cluster.running())
    assert process.wait(timeout=300) == (0 if retries else 1)
    assert re.search(r"SLURM-job '\d+' failed, SLURM status is: 'CANCELLED'", checkout.said())
    states = [job["JobState"] for job in checkout.ended()]
    assert states == (["CANCELLED", "COMPLETED"] if retries else ["CANCELLED"])
    assert ("At least one job did not complete successfully" in checkout.said()) == (retries == 0)


def test_the_jobs_of_a_node_that_went_down_wait_for_it(checkout):
    node = f"nodename={checkout.cluster.node}"
    process = checkout.start(TARGET)
    checkout.working(TRAIN, process)
    checkout.cluster.command("scontrol", "update", node, "state=down", "reason=test")
    try:
        checkout.wait_until_said(process, r"failed due to a node failure, .* 'NODE_FAIL'")
        checkout.wait_until_said(process, r"(?s)submitted.*submitted")
        assert set(checkout.cluster.states().values()) >= {"PENDING"}
    finally:
        checkout.cluster.command("scontrol", "update", node, "state=resume")
    checkout.finish(process)
    assert [job["JobState"] for job in checkout.ended()] == ["NODE_FAIL", "COMPLETED"]


def test_snakemake_that_was_killed_goes_on_where_it_was(checkout):
    process = checkout.start(TARGET)
    checkout.working(TRAIN, process)
    process.kill()
    process.wait(timeout=60)
    # Its job knows nothing of that. It is called as the run was, which was said at the beginning.
    (name,) = re.findall(r"SLURM run ID: (\S+)", checkout.said())
    job = checkout.cluster.command("squeue", "--noheader", "--format=%T", "--name", name)
    assert job.strip() == "RUNNING"
    checkout.cluster.command("scancel", "--name", name)
    again = checkout.start(TARGET)
    assert again.wait(timeout=120) == 1
    assert "Directory cannot be locked" in checkout.said()
    assert checkout.start("--unlock").wait(timeout=120) == 0
    said = checkout.finish(checkout.start(TARGET))
    assert "1 of 1 steps (100%) done" in said
