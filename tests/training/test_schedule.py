"""Rates of learning, TensorBoard's events, and settings of both that contradict each other."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polymatch.settings.model import TrainingSettings
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint

from .test_training import model, toy


def test_the_rate_falls_in_steps_again_and_again():
    head = model(epochs=5, lr=0.01, schedule="step", step_epochs=2, step_factor=0.1, batch_size=40)
    history = train(head, *toy(), seed=0)
    np.testing.assert_allclose(history["lr"][1:], [0.01, 0.01, 0.001, 0.001, 0.0001])


@pytest.mark.parametrize("given", [{"schedule": "step"}, {"step_epochs": 3}])
def test_a_step_and_its_epochs_go_together(given):
    with pytest.raises(ValueError, match="`step_epochs` goes with `schedule: step`"):
        TrainingSettings(**given)


def events(folder):
    found = EventAccumulator(str(folder)).Reload()
    return {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}


def test_events_hold_the_history_and_every_batch(tmp_path):
    head = model(epochs=3, batch_size=40, tensorboard=True)
    history = train(head, *toy(), seed=0, tensorboard=tmp_path)
    written = events(tmp_path)
    rsum = written["epoch/val_rsum"]
    assert [event.step for event in rsum] == [1, 2, 3]
    np.testing.assert_allclose([e.value for e in rsum], history["val_rsum"][1:], rtol=1e-6)
    losses = np.array([event.value for event in written["batch/loss"]]).reshape(3, -1)
    np.testing.assert_allclose(losses.mean(axis=1), history["loss"][1:], rtol=1e-5)


def test_events_are_only_written_when_they_are_asked_for(tmp_path):
    train(model(epochs=1), *toy(), seed=0, tensorboard=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_resumed_training_goes_on_in_its_events(tmp_path):
    folder, state = tmp_path / "events", tmp_path / "resume.pt"

    def killed(epoch, _):
        if epoch == 3:  # written as an event, and not saved
            raise KeyboardInterrupt
        return False

    def go_on(report=None):
        head = model(epochs=4, batch_size=40, tensorboard=True)
        point = ResumePoint(state, "the same")
        train(head, *toy(), seed=0, tensorboard=folder, resume=point, report=report)

    with pytest.raises(KeyboardInterrupt):
        go_on(killed)
    go_on()
    assert [event.step for event in events(folder)["epoch/loss"]] == [1, 2, 3, 4]
    go_on()
    assert [event.step for event in events(folder)["epoch/loss"]] == [1, 2, 3, 4]
