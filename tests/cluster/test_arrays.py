"""Jobs that are alike as the tasks of one array: `--slurm-array-jobs` in docs/cluster.md."""

import filecmp
import re
import shutil

import pytest

from .conftest import SPACE, Submitting, config

pytestmark = pytest.mark.slurm

SCORES = f"{SPACE}/runs/aligned/0/cosine.npy"


def test_the_shards_of_a_matrix_are_one_submission(cluster, here, tmp_path):
    shutil.copytree(here.folder, tmp_path / "checkout")
    there = Submitting(tmp_path / "checkout", cluster)
    there.write_config({**config(), "scoring": {"shards": 3, "models": ["aligned"]}})
    (there.folder / SCORES).unlink()
    seen = len(cluster.completed())
    alike = ("--slurm-array-jobs", "score_shard", "--slurm-array-limit", "20")
    said = there.finish(there.start(*alike, "--", SCORES))
    assert len(re.findall(r"Submitted array job with .* individual task IDs are 1-3", said)) == 1
    tasks = [job["ArrayTaskId"] for job in cluster.completed()[seen:] if "ArrayTaskId" in job]
    assert sorted(tasks) == ["1", "2", "3"]
    assert filecmp.cmp(here.folder / SCORES, there.folder / SCORES, shallow=False)
