"""How a study's next trial is chosen, and when a trial is given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from polymatch.settings.tuning import DimensionSettings, TuningSettings


def distribution(
    dimension: DimensionSettings,
) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    """A dimension of the search space as Optuna has it."""
    if dimension.choices is not None:
        return CategoricalDistribution(dimension.choices)
    low, high, step = dimension.low, dimension.high, dimension.step
    assert low is not None and high is not None  # the settings are checked
    if dimension.whole:
        return IntDistribution(int(low), int(high), dimension.log, int(step or 1))
    return FloatDistribution(float(low), float(high), dimension.log, step)


def sampler_of(settings: TuningSettings) -> BaseSampler:
    """The sampler, of which trial n draws the same whenever the trials before it are the same."""

    def make(seed: int) -> BaseSampler:
        return RandomSampler(seed) if settings.sampler == "random" else TPESampler(seed=seed)

    return _SeededByTrial(make, settings.seed)


def pruner_of(settings: TuningSettings) -> BasePruner:
    """The pruner; it sees epochs counted from 1 (the published trials count from 0)."""
    pruner = settings.pruner
    if pruner.type == "none":
        return NopPruner()
    return SuccessiveHalvingPruner(
        pruner.min_resource, pruner.reduction_factor, pruner.min_early_stopping_rate
    )


class _SeededByTrial(BaseSampler):
    """A fresh sampler for each trial, seeded by its place among those that were not interrupted.

    With one seed for a whole process a resumed study would draw its first trials again, and
    several workers would all draw the same ones. Places, not numbers, so that a study of one
    worker which was stopped goes on as if it had not been. (With several workers what a trial
    draws also depends on which others had finished by then.)
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        place = trial.number - sum(other.number < trial.number for other in failed)
        seed = np.random.SeedSequence([self._seed, place]).generate_state(1)[0]
        self._sampler = self._make(int(seed))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._sampler.after_trial(study, trial, state, values)
