"""``results/tuning/<study>/``: every trial in a table, and the best one as an entry of a config.

Trials are compared on val; the test split is never looked at. The best entry is trained in the
main workflow with the epochs of the study's ``base``, which may be more than a trial's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import optuna
import pandas as pd
import yaml
from optuna.trial import FrozenTrial, TrialState

from polymatch.errors import ConfigError, NumericsError
from polymatch.settings.search_space import final_entry
from polymatch.settings.tuning import Choice, DimensionSettings, TuningSettings
from polymatch.training.samplers import distribution

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}


def trials_table(study: optuna.Study, settings: TuningSettings) -> pd.DataFrame:
    """All trials as described by ``workflow/schemas/trials.schema.json``.

    There is a column for each key of the search space, empty where a trial did not search it.
    """
    trials = study.get_trials(deepcopy=False)
    table = pd.DataFrame(
        {
            "number": [trial.number for trial in trials],
            "state": [STATES[trial.state] for trial in trials],
            "value": pd.Series([trial.value for trial in trials], dtype="float64"),
            "epochs": [trial.last_step or 0 for trial in trials],
            "seconds": pd.Series(
                [trial.user_attrs.get("seconds") for trial in trials], dtype="float64"
            ),
        }
    )
    for key in settings.space:
        # Objects, since a column of 3 and nothing would otherwise be written as 3.0 and nothing.
        table[key] = pd.Series([trial.params.get(key) for trial in trials], dtype=object)
    table["reason"] = pd.Series([_reason(trial) for trial in trials], dtype="str")
    return table


def best_entry(name: str, settings: TuningSettings, study: optuna.Study) -> str:
    """The best trial as YAML: an entry under ``models:``, called ``<name>_best``.

    It is the complete trial with the largest value, the first of equals.

    Raises:
        NumericsError: no trial is complete.
    """
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        reasons = [reason for trial in trials if (reason := _reason(trial))]
        last = f"; the last one: {reasons[-1]}" if reasons else ""
        raise NumericsError(f"study {name}: none of {len(trials)} trials is complete{last}")
    best = max(complete, key=lambda trial: (trial.value, -trial.number))
    counts = Counter(STATES[trial.state] for trial in trials)
    shown = ", ".join(f"{counts[state]} {state}" for state in counts)
    lines = [
        f"# {name}: trial {best.number} of {len(trials)} ({shown}) is best on val:",
        f"# {settings.select} {best.value:.2f} within {settings.epochs} epochs. The training below "
        "is that of the study's base.",
        "# Beside the configuration: snakemake TARGET --configfile config/config.yaml THIS_FILE",
    ]
    entry = final_entry(settings, best.params).model_dump(mode="json")
    models = {"models": {f"{name}_best": entry}}
    return "\n".join(lines) + "\n" + yaml.safe_dump(models, sort_keys=False)


def study_of(table: pd.DataFrame, settings: TuningSettings) -> optuna.Study:
    """The study in memory that a table of it tells of, as Optuna's evaluations take it.

    Only trials with a value are in it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for _, row in table[table["value"].notna()].iterrows():
        if row["state"] not in ("complete", "pruned"):
            continue
        choice = {
            key: value
            for key, dimension in settings.space.items()
            if (value := value_of(row[key], dimension)) is not None
        }
        study.add_trial(
            optuna.create_trial(
                params=choice,
                distributions={key: distribution(settings.space[key]) for key in choice},
                value=row["value"],
            )
        )
    return study


def value_of(cell: Any, dimension: DimensionSettings) -> Choice:
    """What a cell of the table, read from CSV or not, says of a key; None if nothing.

    >>> value_of("1", DimensionSettings(choices=[1, 2]))
    1
    """
    if cell is None or cell == "" or cell != cell:
        return None
    if dimension.choices is not None:
        for value in dimension.choices:
            if cell == value or cell == str(value):
                return value
        raise ConfigError(f"{cell!r} is not a choice of {dimension.choices}")
    return int(cell) if dimension.whole else float(cell)


def _reason(trial: FrozenTrial) -> str:
    given: str | None = trial.user_attrs.get("reason")
    if given is None and trial.state == TrialState.FAIL:
        return "interrupted"
    return given or ""
