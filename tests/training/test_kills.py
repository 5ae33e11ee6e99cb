"""A training that is killed at any moment goes on to the result that it would have had."""

import math
import os
import pickle
import random
import signal
import time

import pytest
import torch

from polymatch.files import written_atomically
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint

from ..processes import started
from .families import ENTRIES, keep, outcome, trained


class Stopped(Exception):
    pass


class Stopping(ResumePoint):
    """Saves after every batch and every epoch, and stops after so many savings."""

    def __init__(self, path, after):
        super().__init__(path, "this", seconds=1e-9, share=math.inf)
        self.left = after

    def save(self, state, within=False):
        super().save(state, within)
        self.left -= 1
        if self.left == 0:
            raise Stopped


def same(found, expected):
    assert found.keys() == expected.keys()
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], atol=0, rtol=0, equal_nan=True)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_family_goes_on_from_any_batch_to_the_same_bits(tmp_path, name):
    """Four batches and a saving after each epoch: 4 is the last batch, before validation."""
    expected = outcome(*trained(name, train))
    for saving in (1, 4, 5, 7):
        path = tmp_path / f"{saving}.pt"
        with pytest.raises(Stopped):
            trained(name, train, resume=Stopping(path, saving))
        torch.manual_seed(123)  # a new process starts anywhere
        resume = ResumePoint(path, "this")
        same(outcome(*trained(name, train, seed=9, resume=resume)), expected)


def run_and_keep(folder, name):
    resume = ResumePoint(folder / "resume.pt", "this", seconds=1e-9, share=math.inf)
    model, history = trained(name, train, resume=resume)
    keep(folder, "done", model, history)


@pytest.mark.parametrize("name", ["sampled", "blip", "saf"])
def test_a_training_that_is_killed_again_and_again_comes_to_the_same_bits(tmp_path, name):
    """Wherever a kill may fall: while it trains, validates, saves, or has hardly begun."""
    trained(name, train)  # the first one makes ready what all others have
    begun = time.monotonic()
    expected = outcome(*trained(name, train))
    took = time.monotonic() - begun
    chance = random.Random(0)
    kills = 0
    while kills < 100:
        process = started(run_and_keep, tmp_path, name)
        # Longer and longer, so that there is an end on a busy machine too.
        process.join(took * chance.uniform(0.05, 0.4) * (1 + kills / 4))
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills > 1 and process.exitcode == 0
    same(torch.load(tmp_path / "done.pt"), expected)
    # What a killed saving leaves is taken away by the next one.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done.pt", "resume.pt"]


class Deadly:
    """Kills whoever pickles it."""

    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def killed_while_writing(path):
    with written_atomically(path, durable=True) as partial, partial.open("wb") as file:
        pickle.dump([bytes(1000), 1.5], file)
        file.flush()
        pickle.dump(Deadly(), file)


def test_a_saving_that_is_killed_leaves_the_last_state_whole(tmp_path, capsys):
    path = tmp_path / "resume.pt"
    with pytest.raises(Stopped):
        trained("mlp", train, resume=Stopping(path, 2))
    whole = path.read_bytes()
    process = started(killed_while_writing, path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2 and path.read_bytes() == whole
    state = ResumePoint(path, "this").load()
    assert state["batches"] == 2
    assert [left.name for left in tmp_path.iterdir()] == ["resume.pt"]
    assert f"resuming in epoch 1 after batch 2: {path}, saved 20" in capsys.readouterr().out


def test_savings_within_epochs_take_a_small_share_of_the_time(tmp_path):
    def slow():
        time.sleep(0.05)
        return {"number": 1}

    def saved(point, count, wait):
        times = set()
        for _ in range(count):
            point.save(slow, within=True)
            times.add(point.path.stat().st_mtime_ns if point.path.exists() else 0)
            time.sleep(wait)
        return len(times - {0})

    assert saved(ResumePoint(tmp_path / "a", "this", 1e-9, share=0.05), 10, 0.01) == 1
    assert saved(ResumePoint(tmp_path / "b", "this", 1e-9, share=math.inf), 3, 0.01) == 3
    # Without a time there are none but those after epochs.
    assert saved(ResumePoint(tmp_path / "c", "this", 0), 3, 0.01) == 0
