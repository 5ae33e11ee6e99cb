"""A cluster of one node, and a small workflow that has run here, for tests to send through it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import CONFIG, Checkout, make_checkout

from .one_node import OneNode, missing

SPACE = "results/few/efficientnet_minilm"


def config(**cluster):
    """Three models, one seed: every stage down to the table, in few jobs."""
    models = CONFIG["models"]
    poly = {key: value for key, value in models["poly_{teacher}"].items() if key != "grid"}
    kept = ("data", "alignment", "device", "evaluation", "benchmark", "teacher_comparison")
    return {
        **{key: CONFIG[key] for key in kept},
        "seeds": [0],
        "teachers": {"domain": CONFIG["teachers"]["domain"]},
        "models": {
            "aligned": models["aligned"],
            "pcme": models["pcme"] | {"similarities": ["mean", "mc"]},
            "poly": poly | {"teacher": "domain"},
        },
        "deployment": {"models": []},
        "pictures": {"models": []},
        "cluster": cluster,
    }


class Submitting(Checkout):
    """A checkout whose jobs go through a cluster."""

    def __init__(self, folder, cluster):
        super().__init__(folder)
        self.cluster = cluster

    def command(self, *arguments):
        return [
            sys.executable,
            *("-m", "snakemake", "--nocolor", "--workflow-profile", "workflow/profiles/slurm"),
            # A cluster of people is asked less often, and its nodes have more cores.
            *("--slurm-init-seconds-before-status-checks", "2", "--max-threads", "2"),
            "--slurm-keep-successful-logs",
            *arguments,
        ]

    def start(self, *arguments):
        """Snakemake, which goes on; what it says is in the file ``said`` of the checkout."""
        with (self.folder / "said").open("w") as said:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=os.environ | self.cluster.environment | {"HF_HUB_OFFLINE": "1"},
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def said(self):
        return (self.folder / "said").read_text()

    def finish(self, process, seconds=300):
        """Wait for Snakemake, which must succeed; returns what it said."""
        assert process.wait(timeout=seconds) == 0, self.said()[-4000:]
        return self.said()

    def working(self, script, process):
        """The process that runs a script here, as soon as there is one."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert process.poll() is None, self.said()[-4000:]
            for one in psutil.process_iter(["cmdline", "cwd", "exe"]):
                words = one.info["cmdline"] or []
                if one.info["cwd"] == str(self.folder) and words[1:2] == [script]:
                    return one
            time.sleep(0.1)
        raise AssertionError(f"{script} was not started in 120 s: {self.said()[-4000:]}")

    def wait_until_said(self, process, pattern):
        deadline = time.monotonic() + 120
        while not re.search(pattern, self.said()):
            assert process.poll() is None, self.said()[-4000:]
            assert time.monotonic() < deadline, self.said()[-4000:]
            time.sleep(0.2)

    def files(self):
        """Every output -> when it was written, but for logs."""
        paths = (self.folder / "results").rglob("*")
        return {
            str(path.relative_to(self.folder)): path.stat().st_mtime_ns
            for path in paths
            if path.is_file() and "results/logs" not in str(path)
        }

    def job_logs(self):
        """What SLURM and the jobs wrote."""
        logs = sorted((self.folder / ".snakemake/slurm_logs").rglob("*.log"))
        return "".join(path.read_text(errors="replace") for path in logs)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A SLURM of one node, for as long as the tests last."""
    if reason := missing():
        pytest.skip(reason)
    one_node = OneNode(tmp_path_factory.mktemp("slurm"))
    one_node.up()
    yield one_node
    one_node.down()


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    """The small workflow, run on this machine without a cluster. Tests must not change it."""
    checkout = make_checkout(tmp_path_factory.mktemp("here"))
    checkout.write_config(config())
    done = checkout.run("results/summary.csv")
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


@pytest.fixture
def without_a_run(cluster, here, tmp_path):
    """A copy of what has run, in which the training of ``pcme`` is still to be done."""
    folder = tmp_path / "checkout"
    shutil.copytree(here.folder, folder)
    shutil.rmtree(folder / SPACE / "runs/pcme")
    return Submitting(folder, cluster)


def same_but_for(before: dict[str, int], after: dict[str, int], folder: Path | str) -> bool:
    """Whether nothing outside of ``folder`` was written, or went."""
    return {p: t for p, t in before.items() if not p.startswith(f"{folder}/")} == {
        p: t for p, t in after.items() if not p.startswith(f"{folder}/")
    }
