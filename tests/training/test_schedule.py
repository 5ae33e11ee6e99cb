"""Rates of learning, TensorBoard's events, and settings of both that contradict each other."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polymatch.settings.model import TrainingSettings
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint
from polymatch.training.schedules import Plateau

from .test_training import model, toy


def test_the_rate_falls_in_steps_again_and_again():
    head = model(epochs=5, lr=0.01, schedule="step", step_epochs=2, step_factor=0.1, batch_size=40)
    history = train(head, *toy(), seed=0)
    np.testing.assert_allclose(history["lr"][1:], [0.01, 0.01, 0.001, 0.001, 0.0001])


@pytest.mark.parametrize("given", [{"schedule": "step"}, {"step_epochs": 3}])
def test_a_step_and_its_epochs_go_together(given):
    with pytest.raises(ValueError, match="`step_epochs` goes with `schedule: step`"):
        TrainingSettings(**given)


def rates(better, **settings):
    """The rate in front of each epoch, and which epochs are followed by a reload."""
    weight = torch.nn.Parameter(torch.zeros(()))
    plateau = Plateau(
        torch.optim.SGD([weight], lr=1.0), TrainingSettings(schedule="plateau", **settings)
    )
    seen, reloads = [], []
    for epoch, good in enumerate(better):
        seen += plateau.get_last_lr()
        if plateau.judge(good):
            reloads.append(epoch)
    return seen, reloads


def test_dual_encoding_halves_a_rate_that_is_old_enough_after_an_epoch_that_is_not_better():
    better = [True, True, True, False, False, False, True, False]
    seen, reloads = rates(better, decay=0.5, stale_epochs=3, stale_factor=0.1)
    np.testing.assert_allclose(
        seen, [1, 0.5, 0.25, 0.125, 0.00625, 0.003125, 0.0015625, 7.8125e-4], rtol=1e-12
    )
    assert reloads == []


def test_dual_encoding_plus_goes_back_to_the_best_after_epochs_in_a_row_without_a_better_one():
    better = [True, False, False, True, False, False, False, False, False, False, True]
    seen, reloads = rates(better, decay=0.5, stale_epochs=3, stale_factor=0.1, reload=True)
    np.testing.assert_allclose(
        seen, [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.025, 0.025, 0.025, 0.0025], rtol=1e-12
    )
    assert reloads == [6, 9]


@pytest.mark.parametrize("reload", [True, False])
def test_a_training_goes_back_to_its_best_weights(reload):
    # Once the rate is nothing, the figures on val are those of the weights that it stopped at.
    plateau = {"schedule": "plateau", "stale_epochs": 1, "stale_factor": 1e-12, "reload": reload}
    head = model(epochs=30, lr=0.5, batch_size=40, **plateau)
    history = train(head, *toy(), seed=0)
    assert history["lr"].iloc[-1] < 1e-9
    at_best = history["val_rsum"].iloc[-1] == history["val_rsum"][1:].max()
    assert at_best == reload


def test_a_plateau_is_judged_by_val():
    with pytest.raises(ValueError, match="`schedule: plateau` follows val"):
        TrainingSettings(schedule="plateau", select="last")


@pytest.mark.parametrize("select", ["val_t2v_rsum", "val_v2t_rsum"])
def test_epochs_are_chosen_by_one_direction(select):
    history = train(model(epochs=4, lr=0.05, batch_size=40, select=select), *toy(), seed=0)
    assert history.loc[history["kept"], select].iloc[0] == history[select][1:].max()
    total = history["val_t2v_rsum"] + history["val_v2t_rsum"]
    np.testing.assert_allclose(total, history["val_rsum"])


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
        point.remove()

    with pytest.raises(KeyboardInterrupt):
        go_on(killed)
    go_on()
    assert [event.step for event in events(folder)["epoch/loss"]] == [1, 2, 3, 4]
    go_on()
    assert [event.step for event in events(folder)["epoch/loss"]] == [1, 2, 3, 4]
