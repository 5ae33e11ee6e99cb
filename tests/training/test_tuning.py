"""Real studies on a toy: repeatable, shared, resumed, pruned; and what stops them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from polymatch.data.splits import TrainingSet
from polymatch.settings.search_space import parse_tuning
from polymatch.training import tuning
from polymatch.training.loop import train
from polymatch.training.study import open_study
from polymatch.training.tuning import Objective, work

from .test_study import begin_trial, other_machine
from .test_training import toy

ROOT = Path(__file__).parents[2]
RAW = {
    "base": {
        "family": "probabilistic",
        "loss": "mean",
        "similarities": ["mean"],
        "training": {"batch_size": 16},
    },
    "space": {
        "tau": {"low": 0.01, "high": 1.0, "log": True},
        "hidden": {"choices": [4, 16]},
        "training.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "pruner": {"min_resource": 1, "reduction_factor": 2, "min_early_stopping_rate": 0},
    "epochs": 4,
    "trials": 6,
}
NO_PRUNER = {"pruner": {"type": "none"}}
WORKER = (
    "import sys; from pathlib import Path; from tests.training.test_tuning import *\n"
    "run(Path(sys.argv[1]), int(sys.argv[2]), **eval(sys.argv[3]))"
)


def objective(**changes):
    train_set, val_set = toy(**changes)
    return Objective(train_set, val_set, torch.device("cpu"), seed=0)


def run(folder, parent=0, measure=None, **changes):
    settings = parse_tuning({**RAW, **changes})
    study = open_study(settings, "s", folder, {})
    work(study, settings, measure or objective(), parent)
    return study


def start(folder, parent=0, **changes):
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, folder, str(parent), repr(changes)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'workflow'}", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )


def wait_for(folder, finished, **changes):
    """The number of finished trials, as soon as there are so many."""
    settings = parse_tuning({**RAW, **changes})
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = len(of_state(open_study(settings, "s", folder, {}), *tuning.FINISHED))
        if done >= finished:
            return done
        time.sleep(0.05)
    raise AssertionError("no trial ends")


def of_state(study, *states):
    return [trial for trial in study.trials if trial.state in states]


def told(study):
    return [(t.number, t.state, t.value, t.params, t.intermediate_values) for t in study.trials]


def test_a_study_of_one_worker_is_the_same_each_time(tmp_path):
    first, second = run(tmp_path / "a"), run(tmp_path / "b")
    assert told(first) == told(second)
    assert len(of_state(first, TrialState.COMPLETE)) < 6


def test_a_trials_value_is_what_training_its_entry_gives(tmp_path):
    measure = objective()
    study = run(tmp_path, **NO_PRUNER, measure=measure)
    settings = parse_tuning({**RAW, **NO_PRUNER})
    for trial in study.trials[:3]:
        entry = tuning.trial_entry(settings, trial.params)
        assert entry.training.lr == trial.params["training.lr"]
        torch.manual_seed(0)
        model = tuning.build_model(entry, 12, 12)
        history = train(model, measure.train_set, measure.val_set, seed=0)
        assert trial.value == history["val_r1"].iloc[1:].max()
        assert list(trial.intermediate_values.values()) == list(history["val_r1"].iloc[1:])
        assert list(trial.intermediate_values) == [1, 2, 3, 4]


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    whole = run(tmp_path / "whole", **NO_PRUNER)
    run(tmp_path / "parts", **NO_PRUNER, trials=2)
    parts = run(tmp_path / "parts", **NO_PRUNER)
    assert told(parts) == told(whole)
    assert told(run(tmp_path / "parts", **NO_PRUNER, trials=3)) == told(whole)


def test_after_a_kill_exactly_the_missing_trials_are_run(tmp_path):
    worker = start(tmp_path)
    wait_for(tmp_path, 2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    before = wait_for(tmp_path, 2)
    study = run(tmp_path)
    finished = of_state(study, *tuning.FINISHED)
    interrupted = of_state(study, TrialState.FAIL)
    assert len(finished) == 6 and 2 <= before <= 6
    assert len(study.trials) == 6 + len(interrupted) and len(interrupted) <= 1
    assert told(study)[:before] == told(run(tmp_path / "whole"))[:before]


@pytest.mark.parametrize("name", [None, "sqlite"])
def test_two_workers_end_exactly_as_many_trials_as_are_asked_for(tmp_path, name):
    """One in a process of its own, and this one, which joins it; in both kinds of storage."""
    storage = name and f"sqlite:///{tmp_path}/study.db"
    other = start(tmp_path, trials=12, storage=storage)
    wait_for(tmp_path, 1, storage=storage)
    study = run(tmp_path, trials=12, storage=storage)
    assert other.wait(60) == 0
    finished = of_state(study, *tuning.FINISHED)
    assert len(finished) == 12 and not of_state(study, TrialState.RUNNING)
    assert {trial.user_attrs["owner"]["pid"] for trial in finished} == {other.pid, os.getpid()}
    assert len({tuple(trial.params.values()) for trial in finished}) == 12


def test_of_two_that_begin_the_last_trial_one_gives_way(tmp_path):
    settings = parse_tuning({**RAW, "trials": 3})
    study = run(tmp_path, trials=2)
    first, second = begin_trial(study), begin_trial(study)
    watch = tuning.Watch(600)
    assert not tuning._is_surplus(study, first, settings, watch)
    assert tuning._is_surplus(study, second, settings, watch)
    study.tell(first, state=TrialState.FAIL)
    assert not tuning._is_surplus(study, second, settings, watch)


def test_a_silent_trial_of_another_machine_is_not_waited_for_and_not_touched(tmp_path):
    study = run(tmp_path, trials=2)
    silent = other_machine(study)
    study = run(tmp_path, trials=3, stale_seconds=1)
    assert [trial.state.name for trial in study.trials][silent.number] == "RUNNING"
    assert len(of_state(study, *tuning.FINISHED)) == 3


def test_a_worker_whose_parent_is_gone_stops_within_an_epoch(tmp_path):
    worker = start(tmp_path, parent=1)
    assert worker.wait(60) == 1
    study = open_study(parse_tuning(RAW), "s", tmp_path, {})
    (trial,) = study.trials
    assert trial.state == TrialState.FAIL and not trial.intermediate_values
    assert trial.user_attrs["reason"] == ("SystemExit: the process that this one works for is gone")


def test_sqlite_holds_the_same_study(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    assert told(run(tmp_path, storage=storage)) == told(run(tmp_path / "journal"))


def test_a_trial_that_lags_behind_is_pruned(tmp_path):
    """The rule itself, told slowly: at epochs 1 and 2 the best half of those so far goes on."""
    study = run(tmp_path, trials=12)
    rungs = {1: [], 2: []}
    for trial in study.trials:
        expected = None
        for epoch, others in rungs.items():
            value = trial.intermediate_values[epoch]
            others.append(value)
            kept = max(1, len(others) // 2)
            if value < sorted(others, reverse=True)[kept - 1]:
                expected = epoch
                break
        assert (trial.state == TrialState.PRUNED) == (expected is not None)
        assert len(trial.intermediate_values) == (expected or 4)
        if expected:
            reason = trial.user_attrs["reason"]
            assert reason == f"behind the others at epoch {expected}"
            assert trial.value == trial.intermediate_values[expected]
    assert len(of_state(study, TrialState.PRUNED)) >= 3
    assert len(of_state(study, TrialState.COMPLETE)) >= 3


def test_no_trial_is_pruned_without_a_pruner(tmp_path):
    study = run(tmp_path, **NO_PRUNER)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


def test_a_trial_stops_early_and_is_complete(tmp_path):
    study = run(tmp_path, **NO_PRUNER, patience=1, epochs=30, trials=2)
    for trial in study.trials:
        values = list(trial.intermediate_values.values())
        assert trial.state == TrialState.COMPLETE and len(values) < 30
        assert trial.value == max(values) and values[-1] <= max(values[:-1])


def test_impossible_settings_are_trials_with_their_reason(tmp_path):
    space = {"min_logvar": {"choices": [-5.0, 1.0]}, "init_logvar": {"choices": [0.0, 1.5]}}
    study = run(tmp_path, **NO_PRUNER, space=space, trials=8)
    for trial in study.trials:
        impossible = tuple(trial.params.values()) == (1.0, 0.0)
        assert (trial.state == TrialState.PRUNED) == impossible
        if impossible:
            reason = trial.user_attrs["reason"]
            assert reason.startswith("impossible: init_logvar 0.0 must lie between min_logvar 1.0")
    assert len(of_state(study, TrialState.PRUNED)) >= 1


def broken():
    measure = objective()
    data = measure.train_set
    nowhere = TrainingSet(data.items * np.nan, data.captions, data.pairs, data.texts)
    return Objective(nowhere, measure.val_set, measure.device, 0)


def test_numbers_that_diverge_are_trials_with_their_reason(tmp_path):
    study = run(tmp_path, **NO_PRUNER, trials=2, measure=broken())
    for trial in study.trials:
        assert trial.state == TrialState.PRUNED and trial.value is None
        assert trial.user_attrs["reason"].startswith("the gradient is not finite in epoch 1")


def test_any_other_error_stops_the_study_and_is_written_down(tmp_path):
    measure = objective()
    data = measure.train_set
    unknown = TrainingSet(data.items[:3], data.captions, data.pairs, data.texts)
    with pytest.raises(IndexError):
        run(tmp_path, measure=Objective(unknown, measure.val_set, measure.device, 0))
    (trial,) = open_study(parse_tuning(RAW), "s", tmp_path, {}).trials
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"].startswith("IndexError: ")


def test_no_trial_begins_after_the_time_is_out(tmp_path):
    study = run(tmp_path, trials=1000, timeout=0.5)
    assert 0 < len(study.trials) < 1000
    assert not of_state(study, TrialState.RUNNING, TrialState.FAIL)
