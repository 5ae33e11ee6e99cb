"""Work on a study: draw settings, train them, report each epoch, until the trials are done.

Any number of processes may work on one study at once, on any machine that reaches its storage.
Finished are trials that went through all their epochs (or stopped early) and those that were
pruned; the study ends with exactly as many as it asks for, over all workers and restarts.
Interrupted ones do not count, and others take their place. What is not counted on is another
machine's trial that shows no sign of life: where it finishes after all, there is one more.

A trial is deterministic: its settings and ``run_seed`` decide its value. Its settings are decided
by its place in the study and by the trials that had finished when it began.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import torch
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState
from tqdm import tqdm

from polymatch.data.features import FeatureStore
from polymatch.data.splits import RetrievalSet, SplitReader, TrainingSet
from polymatch.data.subset import with_captions
from polymatch.errors import ConfigError, NumericsError
from polymatch.models import build_model
from polymatch.settings.model import ModelSettings
from polymatch.settings.search_space import trial_entry, walk
from polymatch.settings.stages import DataSettings
from polymatch.settings.tuning import Choice, DimensionSettings, TuningSettings
from polymatch.training.loop import Report, train
from polymatch.training.samplers import distribution
from polymatch.training.study import FINISHED, Watch, fail_interrupted, mark

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Objective:
    """What a trial is measured by: one training of its entry, on these data."""

    train_set: TrainingSet
    val_set: RetrievalSet
    device: torch.device
    seed: int
    word_vectors: torch.Tensor | None = None

    @classmethod
    def read(
        cls,
        settings: TuningSettings,
        data: DataSettings,
        splits: SplitReader,
        device: torch.device,
        word_vectors: Path | None = None,
    ) -> Objective:
        """Read val and as many of the training captions as the study uses."""
        kinds = data.train_captions
        if settings.captions is not None:
            splits = with_captions(splits, "train", kinds, settings.captions, settings.run_seed)
        return cls(
            splits.training_set("train", kinds),
            splits.retrieval_set("val", data.test_captions),
            device,
            settings.run_seed,
            torch.from_numpy(FeatureStore(word_vectors).read()) if word_vectors else None,
        )

    def history(self, entry: ModelSettings, label: str, report: Report) -> pd.DataFrame:
        """Train an entry; the loop's history."""
        torch.manual_seed(self.seed)
        model = build_model(entry, *self.train_set.widths)
        if entry.needs_word_vectors:
            assert self.word_vectors is not None  # the rule gives them
            model.take_word_vectors(self.word_vectors)
        model.to(self.device)
        return train(model, self.train_set, self.val_set, self.seed, label, report=report)


def work(
    study: optuna.Study,
    settings: TuningSettings,
    objective: Objective,
    parent: int = 0,
) -> None:
    """Run trials until the study has as many as it asks for, or its time is out.

    Args:
        study: as :func:`polymatch.training.study.open_study` gives it.
        parent: process that this one works for (0: none); when it is gone, so is this one, an
            epoch later.

    Raises:
        SystemExit: the parent is gone.
        Whatever a training raises, unless it is that the numbers or settings are impossible.
    """
    watch = Watch(settings.stale_seconds)
    start = time.monotonic()
    while settings.timeout is None or time.monotonic() - start < settings.timeout:
        for number in fail_interrupted(study):
            tqdm.write(f"{study.study_name}: trial {number} was interrupted; it does not count")
        trials = study.get_trials(deepcopy=False)
        finished = sum(trial.state in FINISHED for trial in trials)
        if finished >= settings.trials:
            return
        if finished + sum(map(watch.is_alive, trials)) >= settings.trials:
            _look_after(parent)
            time.sleep(POLL_SECONDS)
            continue
        trial = study.ask()
        mark(trial)
        if _is_surplus(study, trial, settings, watch):
            _fail(study, trial, "another worker had begun the last one")
            continue
        try:
            _run(study, trial, settings, objective, parent)
        except BaseException as error:
            _fail(study, trial, f"{type(error).__name__}: {error}".strip(": "))
            raise
        _say(study, trial.number, settings)


def _is_surplus(
    study: optuna.Study, trial: optuna.Trial, settings: TuningSettings, watch: Watch
) -> bool:
    """Whether those that began before this one are enough: two workers may both ask for the last.

    Numbers are given out one by one, so of several the first is not surplus.
    """
    before = [t for t in study.get_trials(deepcopy=False) if t.number < trial.number]
    taken = sum(other.state in FINISHED or watch.is_alive(other) for other in before)
    return taken >= settings.trials


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: TuningSettings,
    objective: Objective,
    parent: int,
) -> None:
    choice = walk(settings, partial(_suggest, trial))
    stopped: list[int] = []

    def report(epoch: int, row: dict[str, Any]) -> bool:
        _look_after(parent)
        trial.report(row[settings.select], epoch)
        # After the last epoch there is nothing left to save.
        if epoch < settings.epochs and trial.should_prune():
            stopped.append(epoch)
        return bool(stopped)

    start = time.perf_counter()
    try:
        entry = trial_entry(settings, choice)
        history = objective.history(entry, f"trial {trial.number}", report)
    except ConfigError as error:
        _prune(study, trial, f"impossible: {error}")
        return
    except NumericsError as error:
        _prune(study, trial, str(error))
        return
    trial.set_user_attr("seconds", time.perf_counter() - start)
    if stopped:
        _prune(study, trial, f"behind the others at epoch {stopped[0]}")
    else:
        kept = history.loc[history["kept"], settings.select]
        study.tell(trial, float(kept.iloc[0]))


def _suggest(trial: optuna.Trial, key: str, dimension: DimensionSettings) -> Choice:
    values = distribution(dimension)
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(key, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(key, values.low, values.high, step=values.step, log=values.log)
    return trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)


def _prune(study: optuna.Study, trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.PRUNED)


def _fail(study: optuna.Study, trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.FAIL)


def _look_after(parent: int) -> None:
    if parent and os.getppid() != parent:
        raise SystemExit("the process that this one works for is gone")


def _say(study: optuna.Study, number: int, settings: TuningSettings) -> None:
    trials = study.get_trials(deepcopy=False)
    done = [trial for trial in trials if trial.state in FINISHED]
    complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
    last = trials[number]
    value = "" if last.value is None else f" at {settings.select} {last.value:.2f}"
    line = f"{study.study_name}: trial {number} {last.state.name.lower()}{value}"
    if reason := last.user_attrs.get("reason"):
        line += f" ({reason})"
    line += f"; {len(done)} of {settings.trials} finished"
    if complete:
        best = max(complete, key=lambda trial: (trial.value or 0.0, -trial.number))
        line += f", best: {best.value:.2f} (trial {best.number})"
    tqdm.write(line)
