"""The training script by two of torchrun's agents, each as on a machine of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ..stored_sets import tables

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/train.py"
ENTRY = {
    "family": "probabilistic",
    "loss": "sampled",
    "similarities": ["mean"],
    "hidden": 16,
    "training": {"epochs": 3, "batch_size": 8, "lr": 1e-3, "select": "last"},
}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Arguments of the script, but for the entry and where it writes."""
    folder = tmp_path_factory.mktemp("set")
    reader, (manifest, captions) = tables(folder, 12, 60, (5, 5))
    manifest = manifest.assign(path="none", n_frames=1, group_id=manifest["item_id"])
    manifest.to_parquet(folder / "manifest.parquet")
    captions.assign(language="en").to_parquet(folder / "captions.parquet")
    arguments = {
        "data": json.dumps({"name": "toy"}),
        "manifest": folder / "manifest.parquet",
        "captions": folder / "captions.parquet",
        "items": reader.item_store,
        "embedded-captions": reader.caption_store,
        "name": "toy",
        "seed": 0,
        "device": "cpu",
    }
    return [f"--{name}={value}" for name, value in arguments.items()]


def command(given, folder, **training):
    entry = ENTRY | {"training": ENTRY["training"] | training}
    return [*given, f"--model={json.dumps(entry)}", f"--history={folder}/history.csv"]


def machines(port, arguments, local=("127.0.0.1", "127.0.0.1")):
    """Two agents that meet at a port, as ``docs/cluster.md`` has it."""
    agents = []
    for number, address in enumerate(local):
        options = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)]
        options += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}"]
        options += ["--rdzv-id", "one", "--local-addr", address]
        agents.append(
            subprocess.Popen(
                [sys.executable, "-m", "torch.distributed.run", *options, SCRIPT, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        )
    return agents


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def same(folder, other):
    ours, theirs = (load_file(place / "model.safetensors") for place in (folder, other))
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-3)
    ours, theirs = (pd.read_csv(place / "history.csv") for place in (folder, other))
    assert ours["epoch"].tolist() == theirs["epoch"].tolist()
    assert (ours["val_rsum"] - theirs["val_rsum"]).abs().max() < 1e-3


@pytest.fixture(scope="module")
def alone(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, SCRIPT, *command(given, folder)], check=True)
    return folder


def test_two_machines_come_to_what_one_process_does(given, alone, port, tmp_path):
    agents = machines(port, command(given, tmp_path))
    said = [agent.communicate()[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], said
    same(tmp_path, alone)
    assert {path.name for path in tmp_path.iterdir()} == {
        "history.csv",
        "model.safetensors",
        "settings.json",
    }


def test_when_two_machines_are_gone_one_process_goes_on(given, alone, port, tmp_path):
    """The state is the first process's, and is of any number of them."""
    longer = {"epochs": 60, "checkpoint_seconds": 0.001}
    agents = machines(port, command(given, tmp_path / "moved", **longer, processes=2))
    while not (tmp_path / "moved/resume.pt").exists():
        assert all(agent.poll() is None for agent in agents)
        time.sleep(0.05)
    for agent in agents:
        agent.kill()
    # What they started goes by itself, though nothing has told it to: then nobody has the pipe.
    for agent in agents:
        agent.communicate(timeout=30)
    done = subprocess.run(
        [sys.executable, SCRIPT, *command(given, tmp_path / "moved", **longer)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert re.search(r"resuming (in|after) epoch \d+.*resume\.pt, saved 20", done.stdout)
    subprocess.run([sys.executable, SCRIPT, *command(given, tmp_path / "whole", **longer)])
    same(tmp_path / "moved", tmp_path / "whole")
    assert not (tmp_path / "moved/resume.pt").exists()
