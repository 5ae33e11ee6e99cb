"""Trainings by several processes end where those of one do, for every family; and go on in others.

In float64: in float32 biases in front of a batch normalisation have rounding for a gradient, which
Adam makes steps of.
"""

import math
import os
import signal
from dataclasses import replace

import pytest
import torch

from polymatch import distributed
from polymatch.errors import DataError, NumericsError
from polymatch.training.agreement import refuse_drift, start_alike
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint

from ..processes import together
from .families import ENTRIES, SINGLE, keep, made, outcome, trained

ODD = ["sampled", "align", "queue", "blip", "saf", "dual", "pruned"]


class Stopped(Exception):
    pass


class Stopping(ResumePoint):
    """Saves after every batch, and stops in the midst of an epoch."""

    def __init__(self, path, after, stop):
        super().__init__(path, "this", seconds=1e-9, share=math.inf)
        self.after, self.stop = after, stop

    def save(self, state, within=False):
        super().save(state, within)
        self.after -= 1
        if self.after == 0:
            self.stop()


def raised():
    raise Stopped


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def train_and_keep(folder, names, resume=None):
    """Train one after the other; the first process keeps what comes of it."""
    for name in names:
        point = resume and ResumePoint(folder / f"{resume}.{name}.state", "this")
        # Each starts from weights of its own, until the first one's are taken.
        model, history = trained(name, train, seed=distributed.rank(), resume=point)
        if distributed.rank() == 0:
            keep(folder, f"{resume or 'whole'}.{name}", model, history)


def be_killed(folder, name):
    trained(name, train, resume=Stopping(folder / f"killed.{name}.pt", 6, killed))


@pytest.fixture(scope="module")
def alone():
    """What one process comes to."""
    return {name: outcome(*trained(name, train)) for name in ENTRIES}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes come to."""
    folder = tmp_path_factory.mktemp("two")
    assert together(2, train_and_keep, folder, ENTRIES) == [0, 0]
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """What three processes come to: 16 rows are no three equal shares, and 2 rows are no share."""
    folder = tmp_path_factory.mktemp("three")
    assert together(3, train_and_keep, folder, ODD) == [0, 0, 0]
    return folder


def same(found, expected, name):
    assert found.keys() == expected.keys()
    close = {"atol": 1e-5, "rtol": 1e-4} if name in SINGLE else {"atol": 1e-8, "rtol": 1e-6}
    for key in expected:
        torch.testing.assert_close(
            found[key], expected[key], **close, equal_nan=True, msg=lambda text, key=key: key + text
        )


@pytest.mark.parametrize("name", ENTRIES)
def test_two_processes_come_to_what_one_does(alone, two, name):
    same(torch.load(two / f"whole.{name}.pt"), alone[name], name)


@pytest.mark.parametrize("name", ODD)
def test_three_processes_come_to_what_one_does(alone, three, name):
    same(torch.load(three / f"whole.{name}.pt"), alone[name], name)


@pytest.mark.parametrize("name", ["queue", "blip"])
def test_what_two_processes_began_one_goes_on_with(alone, tmp_path, capsys, name):
    assert -signal.SIGKILL in together(2, be_killed, tmp_path, name)
    resume = ResumePoint(tmp_path / f"killed.{name}.pt", "this")
    same(outcome(*trained(name, train, seed=5, resume=resume)), alone[name], name)
    # Four batches an epoch, and a saving after each and after the epoch.
    assert "resuming in epoch 2 after batch 1: " in capsys.readouterr().out


def test_what_one_process_began_three_go_on_with(alone, tmp_path):
    names = ["sampled", "dual"]
    for name in names:
        with pytest.raises(Stopped):
            trained(name, train, resume=Stopping(tmp_path / f"moved.{name}.state", 6, raised))
    assert together(3, train_and_keep, tmp_path, names, "moved") == [0, 0, 0]
    for name in names:
        same(torch.load(tmp_path / f"moved.{name}.pt"), alone[name], name)


def disagree():
    """Other data, and other weights, than the first process has."""
    number = distributed.rank()
    model, train_set, val_set = made("mlp")
    start_alike(model, train_set, val_set, 0)
    other = replace(train_set, pairs=train_set.pairs[::-1].copy()) if number else train_set
    with pytest.raises(DataError, match=r"^process 1 of 2 has other settings or data than"):
        start_alike(model, other, val_set, 0)
    with pytest.raises(DataError, match=r"^process 1 of 2 has other settings or data than"):
        start_alike(model, train_set, val_set, number)
    weights = [torch.nn.Parameter(torch.ones(10))]
    refuse_drift(weights, 3)
    with torch.no_grad():
        weights[0][0] += 0.1 * number
    with pytest.raises(NumericsError, match=r"^the processes' weights are not the same after .* 3"):
        refuse_drift(weights, 3)


def test_processes_that_do_not_train_the_same_are_refused():
    assert together(2, disagree) == [0, 0]
