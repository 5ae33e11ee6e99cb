"""A training that is killed in the middle, as users meet it: run the same target again."""

import os
import signal
import subprocess
import time

import pytest
import torch

from .conftest import CONFIG

RUN = "results/few/efficientnet_minilm/runs/pcme/0"
TARGET = f"{RUN}/model.safetensors"
TRAINING = {"epochs": 150, "batch_size": 8, "checkpoint_seconds": 0, "select": "last"}

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("resume")]


def weights(checkout):
    """The best and the last checkpoint, by where they lie."""
    return {
        path.relative_to(checkout.folder): path.read_bytes()
        for path in (checkout.folder / RUN).rglob("*.safetensors")
    }


def test_a_killed_training_goes_on_to_the_same_result(fresh):
    models = CONFIG["models"]
    pcme = models["pcme"] | {"training": TRAINING}
    kept = {key: CONFIG[key] for key in ("data", "alignment", "seeds", "device")}
    fresh.write_config({**kept, "models": {"aligned": models["aligned"], "pcme": pcme}})
    state = fresh.folder / RUN / "resume.pt"
    process = subprocess.Popen(
        fresh.command(TARGET),
        cwd=fresh.folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not state.is_file():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    epoch = torch.load(state, weights_only=True)["state"]["history"][-1]["epoch"]
    assert 1 <= epoch < TRAINING["epochs"]
    assert fresh.run("--unlock").returncode == 0
    done = fresh.run("--rerun-incomplete", TARGET)
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"resuming after epoch {epoch}" in done.stdout
    assert not state.exists()
    resumed = weights(fresh)
    done = fresh.run("--forcerun", "train", "--", TARGET)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "resuming" not in done.stdout
    assert len(resumed) == 2
    assert resumed == weights(fresh)
