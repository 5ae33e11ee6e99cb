"""The whole small workflow through SLURM gives the table that it gives here."""

import re

import pandas as pd
import pytest

from tests.workflow.conftest import make_checkout

from .conftest import SPACE, Submitting, config

pytestmark = pytest.mark.slurm

# Of the machine at that moment; all other columns are the same to the last digit.
MEASURED = r".*(latency|_ms|memory|seconds).*"


@pytest.fixture(scope="module")
def there(cluster, tmp_path_factory):
    """The small workflow, run through the cluster from nothing to the table, with what it said."""
    checkout = Submitting(make_checkout(tmp_path_factory.mktemp("there")).folder, cluster)
    checkout.write_config(config(seeds_together=True))
    checkout.output = checkout.finish(checkout.start("results/summary.csv"))
    return checkout


def same_table(one, other):
    """Fail unless both have the same rows, but for what is measured; returns what is the same."""
    local, remote = pd.read_csv(one), pd.read_csv(other)
    assert list(local.columns) == list(remote.columns)
    kept = [name for name in local.columns if not re.fullmatch(MEASURED, name)]
    assert "t2v_r1" in kept
    pd.testing.assert_frame_equal(local[kept], remote[kept], check_exact=True)
    return {*kept}


def test_the_table_is_the_same(here, there):
    kept = same_table(*(one.folder / "results/summary.csv" for one in (here, there)))
    assert {"t2v_r1", "rsum", "surrogate_max_error", "config_hash", "code_hash"} <= kept


def test_jobs_of_seconds_go_together(there):
    jobs = int(re.search(r"(\d+) of \1 steps", there.output)[1])
    submitted = len(re.findall(r"has been submitted with SLURM jobid", there.output))
    # Two extractions, alignment, three trainings; the others in four groups.
    assert (jobs, submitted) == (25, 10)


def test_with_nothing_to_do_nothing_is_submitted(there):
    process = there.start("results/summary.csv")
    assert "Nothing to be done" in there.finish(process)


def test_what_a_cluster_is_asked_for_makes_nothing_run_again(there):
    there.write_config(config(partition="gpus", gpus=["training"], growth=1.5))
    assert "Nothing to be done" in there.finish(there.start("-n", "results/summary.csv"))


def test_partition_and_gpu_reach_slurm(there):
    seen = len(there.cluster.completed())
    there.write_config(config(gpu_partition="gpus", gpus=["training"]))
    target = f"{SPACE}/runs/aligned/0/model.safetensors"
    said = there.finish(there.start("--forcerun", "train", "--", target))
    assert "1 of 1 steps (100%) done" in said
    (job,) = there.cluster.completed()[seen:]
    assert job["Partition"] == "gpus"
    assert "TresPerJob=gres:gpu:1" in there.cluster.command("scontrol", "show", "job", job["JobId"])
