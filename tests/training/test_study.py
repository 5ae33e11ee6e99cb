"""A study on disk: its storage survives kills, and it stays the study of what it was begun with."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileOpenLock
from optuna.trial import TrialState

from polymatch.errors import ConfigError, DataError
from polymatch.settings.search_space import parse_tuning
from polymatch.training.samplers import distribution
from polymatch.training.study import Watch, fail_interrupted, mark, open_storage, open_study

ROOT = Path(__file__).parents[2]
RAW = {
    "base": {"family": "probabilistic", "loss": "mean", "similarities": ["mean"]},
    "space": {
        "tau": {"low": 0.01, "high": 1.0, "log": True},
        "hidden": {"choices": [8, 16, 32]},
        "training.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "captions": 50,
}
DATA = {"settings": {"name": "toy"}, "items": {"width": 12}}


def settings(**changes):
    return parse_tuning({**RAW, **changes})


def begun(folder, data=DATA, **changes):
    return open_study(settings(**changes), "s", folder, data)


def begin_trial(study):
    trial = study.ask()
    mark(trial)
    return trial


def other_machine(study, **attributes):
    """A running trial whose owner is not of this machine."""
    trial = study.ask()
    trial.set_user_attr("owner", {"host": "elsewhere", "pid": 1, "born": 0.0, **attributes})
    return trial


@pytest.mark.parametrize("storage", [None, "kept/here.log", "sqlite:///kept/study.db"])
def test_trials_are_found_again_in_every_storage(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    study = begun(tmp_path / "s", storage=storage)
    study.tell(begin_trial(study), 3.0)
    assert [trial.value for trial in begun(tmp_path / "s", storage=storage).trials] == [3.0]
    assert (tmp_path / (storage or "s/journal.log").removeprefix("sqlite:///")).is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"space": {**RAW["space"], "tau": {"low": 0.02, "high": 1.0, "log": True}}},
            r"space\.tau\.low: was 0\.01, is 0\.02;",
        ),
        (
            {"space": {"tau": RAW["space"]["tau"], "hidden": {"choices": [8, 16]}}},
            r"space\.hidden\.choices: was \[8, 16, 32\], is \[8, 16\] \(and \d more\);",
        ),
        ({"base": {**RAW["base"], "dropout": 0.2}}, r"base\.dropout: was not there, is 0\.2;"),
        ({"epochs": 40}, r"epochs: was 20, is 40;"),
        ({"captions": None}, r"captions: was 50, is None;"),
        ({"select": "val_rsum"}, r"select: was val_r1, is val_rsum;"),
        ({"run_seed": 1}, r"run_seed: was 0, is 1;"),
        ({"pruner": {"type": "none"}}, r"pruner\.type: was asha, is none;"),
        ({"data": {**DATA, "items": {"width": 13}}}, r"data\.items\.width: was 12, is 13;"),
    ],
)
def test_a_study_of_something_else_is_refused_with_what_changed(tmp_path, changes, message):
    begun(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        begun(tmp_path, **changes)
    assert str(caught.value).startswith(
        f"study 's' in {tmp_path}/journal.log was begun with other settings: "
    )
    assert str(caught.value).endswith(
        f"give the study another name (`study`), or delete {tmp_path}/journal.log to begin anew"
    )
    assert "\n" not in str(caught.value)
    assert begun(tmp_path, study="another", **changes).study_name == "another"


def test_what_does_not_decide_a_trial_may_change(tmp_path):
    begun(tmp_path)
    begun(tmp_path, trials=7, timeout=3, workers=4, seed=1, sampler="random", stale_seconds=1)


def test_a_study_of_someone_elses_is_not_gone_on_with(tmp_path):
    storage = open_storage(None, tmp_path / "journal.log")
    optuna.create_study(study_name="s", storage=storage).add_trial(
        optuna.create_trial(value=1.0, params={}, distributions={})
    )
    with pytest.raises(ConfigError, match=r"study 's' in .* was not begun here; give this one"):
        begun(tmp_path)


def test_a_half_written_line_of_a_killed_process_is_cut_off(tmp_path):
    study = begun(tmp_path)
    study.tell(begin_trial(study), 1.0)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker_id"')
    again = begun(tmp_path)
    again.tell(begin_trial(again), 2.0)
    assert journal.read_bytes().startswith(whole)
    assert [trial.value for trial in begun(tmp_path).trials] == [1.0, 2.0]


@pytest.mark.parametrize("text", ["no journal\n", '{"some": "json"}\n', "3\n"])
def test_a_file_that_is_no_journal_is_named(tmp_path, text):
    (tmp_path / "journal.log").write_text(text)
    with pytest.raises(DataError, match=r"journal\.log: line 1 is not of a journal .*; delete the"):
        begun(tmp_path)
    assert (tmp_path / "journal.log").read_text() == text


@pytest.mark.parametrize("storage", ["taken/x.log", "sqlite:///taken/x.db", "."])
def test_a_storage_that_cannot_be_used_is_named(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(ConfigError, match=r"^storage: .* cannot be used \(") as caught:
        begun(tmp_path, storage=storage)
    assert "\n" not in str(caught.value)


def test_a_lock_that_was_left_behind_is_given_up(tmp_path):
    """Also through a relative path and from another folder, as another machine would see it."""
    journal = tmp_path / "journal.log"
    open_storage(None, journal)
    JournalFileOpenLock(str(journal)).acquire()
    start = time.monotonic()
    storage = open_storage(None, journal, grace_seconds=3)
    optuna.create_study(study_name="s", storage=storage)
    assert 3 <= time.monotonic() - start < 10


def test_trials_of_a_process_that_is_gone_fail_and_others_do_not(tmp_path):
    study = begun(tmp_path)
    code = (
        "import sys; from pathlib import Path; from tests.training.test_study import *\n"
        "begin_trial(begun(Path(sys.argv[1]))); import os; os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'workflow'}"}
    subprocess.run([sys.executable, "-c", code, tmp_path], env=environment)
    mine, theirs = begin_trial(study), other_machine(study)
    reused = other_machine(study, host=socket.gethostname(), pid=os.getpid(), born=1.0)
    assert fail_interrupted(study) == [0, reused.number]
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL, TrialState.RUNNING, TrialState.RUNNING, TrialState.FAIL]
    assert (mine.number, theirs.number) == (1, 2)


def test_another_machines_trial_is_alive_as_long_as_it_ends_epochs(tmp_path):
    study = begun(tmp_path)
    trial, watch = other_machine(study), Watch(stale_seconds=0.3)
    for epoch in range(3):
        trial.report(1.0, epoch)
        assert watch.is_alive(study.trials[0])
        time.sleep(0.2)
        assert watch.is_alive(study.trials[0])
    time.sleep(0.3)
    assert not watch.is_alive(study.trials[0])
    begin_trial(study)
    assert watch.is_alive(study.trials[1])
    assert study.trials[0].state == TrialState.RUNNING


def test_a_trial_whose_process_was_killed_before_it_said_its_name_is_given_seconds(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("polymatch.training.study._UNMARKED_SECONDS", 0.2)
    study = begun(tmp_path)
    study.ask()
    other_machine(study)
    watch = Watch(stale_seconds=600)
    assert all(watch.is_alive(trial) for trial in study.trials)
    time.sleep(0.3)
    assert [watch.is_alive(trial) for trial in study.trials] == [False, True]
    assert fail_interrupted(study) == []  # it may be another machine's


def drawn(study, count):
    """Trials one after the other; their value is the distance of tau from 0.2."""
    for _ in range(count):
        trial = begin_trial(study)
        for key, dimension in settings().space.items():
            trial._suggest(key, distribution(dimension))
        study.tell(trial, -abs(trial.params["tau"] - 0.2))
    return [t.params for t in study.trials if t.state == TrialState.COMPLETE]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_study_that_was_stopped_draws_what_it_would_have_drawn(tmp_path, sampler):
    whole = drawn(begun(tmp_path / "whole", sampler=sampler), 16)
    assert len({json.dumps(params) for params in whole}) == 16
    drawn(begun(tmp_path / "stopped", sampler=sampler), 3)
    stopped = begun(tmp_path / "stopped", sampler=sampler)
    stopped.tell(begin_trial(stopped), state=TrialState.FAIL)
    drawn(stopped, 9)
    assert drawn(begun(tmp_path / "stopped", sampler=sampler), 4) == whole
    assert drawn(begun(tmp_path / "other", sampler=sampler, seed=1), 16) != whole


def test_a_trial_that_another_worker_is_just_marking_is_left_alone(tmp_path, monkeypatch):
    """Whoever looks in between sees all of its owner or nothing: it is one entry."""
    study = begun(tmp_path)
    trial, write, seen = study.ask(), optuna.Trial.set_user_attr, []

    def watched(self, name, value):
        seen.append((fail_interrupted(study), Watch(600).is_alive(study.trials[0])))
        write(self, name, value)
        seen.append((fail_interrupted(study), Watch(600).is_alive(study.trials[0])))

    monkeypatch.setattr(optuna.Trial, "set_user_attr", watched)
    mark(trial)
    assert seen == [([], True)] * 2
