"""A training that is killed goes on to the result that it would have had."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from polymatch.models import load_model
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint

from .test_training import model, toy

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'workflow'}"}


class Killed(Exception):
    pass


def weights(head):
    return torch.cat([p.detach().flatten() for p in head.parameters()])


def killed_after(epoch, resume):
    """Train until ``epoch`` is saved, and stop as hard as Python allows within a process."""

    def report(now, _):
        if now == epoch + 1:
            raise Killed
        return False

    with pytest.raises(Killed):
        train(model(epochs=6, dropout=0.3), *toy(), seed=0, resume=resume, report=report)


@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_a_resumed_training_ends_where_an_undisturbed_one_does(tmp_path, epoch):
    whole = model(epochs=6, dropout=0.3)
    expected = train(whole, *toy(), seed=0, last=tmp_path / "whole")
    resume = ResumePoint(tmp_path / "resume.pt", "this")
    killed_after(epoch, resume)
    torch.manual_seed(123)  # a new process starts anywhere
    head = model(seed=5, epochs=6, dropout=0.3)
    history = train(
        head,
        *toy(),
        seed=0,
        resume=ResumePoint(resume.path, "this"),
        last=tmp_path / "again",
    )
    assert torch.equal(weights(head), weights(whole))
    assert torch.equal(
        weights(load_model(tmp_path / "again")), weights(load_model(tmp_path / "whole"))
    )
    columns = [name for name in expected if name != "seconds"]
    assert history[columns].equals(expected[columns])
    assert history["seconds"].is_monotonic_increasing
    assert resume.path.exists()
    resume.remove()
    assert not resume.path.exists()


def test_what_other_settings_made_is_not_resumed(tmp_path, capsys):
    killed_after(2, ResumePoint(tmp_path / "resume.pt", "these settings"))
    path = tmp_path / "resume.pt"
    assert path.exists()
    assert ResumePoint(path, "other settings").load() is None
    assert "of other settings, code or data" in capsys.readouterr().out


def test_a_broken_file_is_not_resumed(tmp_path, capsys):
    path = tmp_path / "resume.pt"
    path.write_bytes(b"PK\x03\x04 not all of it")
    assert ResumePoint(path, "this").load() is None
    assert "starting anew" in capsys.readouterr().out


def test_the_state_is_not_saved_more_often_than_asked_for(tmp_path):
    point = ResumePoint(tmp_path / "resume.pt", "this", seconds=1000)
    point.save(lambda: pytest.fail("not yet"))
    assert not point.path.exists()


def test_patience_is_remembered(tmp_path):
    """Stopped while waiting for a better epoch, it does not wait from the start again."""
    whole = train(model(epochs=30, lr=1e-9, patience=4), *toy(), seed=0)
    stop = int(whole["epoch"].iloc[-1]) - 1
    resume = ResumePoint(tmp_path / "resume.pt", "this")

    def report(now, _):
        if now == stop:
            raise Killed
        return False

    with pytest.raises(Killed):
        train(model(epochs=30, lr=1e-9, patience=4), *toy(), seed=0, resume=resume, report=report)
    again = train(model(epochs=30, lr=1e-9, patience=4), *toy(), seed=0, resume=resume)
    assert list(again["epoch"]) == list(whole["epoch"])


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.training.test_training import model, toy
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint
def report(epoch, _):
    if epoch == 4:
        os.kill(os.getpid(), signal.SIGKILL)
train(model(epochs=6), *toy(), seed=0, resume=ResumePoint(Path(sys.argv[1]), "this"), report=report)
"""


def test_a_killed_process_leaves_a_whole_state(tmp_path):
    path = tmp_path / "resume.pt"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path], env=ENVIRONMENT, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    head, whole = model(seed=9, epochs=6), model(epochs=6)
    train(head, *toy(), seed=0, resume=ResumePoint(path, "this"))
    train(whole, *toy(), seed=0)
    assert torch.equal(weights(head), weights(whole))
