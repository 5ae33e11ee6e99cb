"""``results/leaderboard.csv``: models over their seeds, and which differences are real.

A row is a model and a similarity. Means and standard deviations are over seeds; the interval is a
bootstrap over test items of the mean over seeds. Differences in R-sum from the baseline, and from
the best row, are paired tests over the same queries, corrected for the number of rows (Holm). Rows
of other queries than the baseline's (those of items that have sound) come last and are not tested.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.evaluation import (
    PairedTest,
    RetrievalRanks,
    bootstrap_intervals,
    holm,
    paired_test,
)
from polymatch.evaluation.ranks import DIRECTIONS
from polymatch.evaluation.significance import same_queries
from polymatch.reporting.summary import SIMULATED, SIZES, run_directory
from polymatch.settings.config import Config
from polymatch.settings.stages import EvaluationSettings

METRICS = ("t2v_r1", "t2v_r5", "t2v_r10", "v2t_r1", "v2t_r5", "v2t_r10", "rsum")
LEVEL = 0.05

Key = tuple[str, str]


def leaderboard(config: Config, space: Path, summary: pd.DataFrame) -> pd.DataFrame:
    """Rank the models of a summary by R-sum.

    Args:
        config: the configuration of the summary.
        space: folder that holds ``runs/``, for each run's ranks.
        summary: as :func:`polymatch.reporting.summary.summarise` returns it.

    Returns:
        A frame as described by ``workflow/schemas/leaderboard.schema.json``, best first.
    """
    ranks = _load_ranks(config, space)
    baseline = (config.baseline, config.model_entry(config.baseline).scored_by[0])
    rows = [_row(key, _rows_of(summary, key), ranks[key], config.evaluation) for key in ranks]
    paired = [same_queries(ranks[key][0], ranks[baseline][0]) for key in ranks]
    order = sorted(range(len(rows)), key=lambda row: (not paired[row], -rows[row]["rsum"]))
    board = pd.DataFrame([rows[row] for row in order])
    keys = [list(ranks)[row] for row in order]
    tested = keys[: sum(paired)]
    for place, other in (("baseline", baseline), ("best", keys[0])):
        found = [
            *compare(tested, other, ranks, config.evaluation),
            *[None] * (len(keys) - len(tested)),
        ]
        if place == "baseline":
            board["rsum_vs_baseline"] = _numbers(one and one[0].difference for one in found)
            board["rsum_vs_baseline_lo"] = _numbers(one and one[0].low for one in found)
            board["rsum_vs_baseline_hi"] = _numbers(one and one[0].high for one in found)
        board[f"p_vs_{place}"] = _numbers(one and one[1] for one in found)
        verdicts = [_verdict(key, other, one) for key, one in zip(keys, found, strict=True)]
        board[f"vs_{place}"] = verdicts
    return board


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _rows_of(summary: pd.DataFrame, key: Key) -> pd.DataFrame:
    return summary[(summary["model"] == key[0]) & (summary["similarity"] == key[1])]


def _row(
    key: Key, seeds: pd.DataFrame, ranks: list[RetrievalRanks], settings: EvaluationSettings
) -> dict[str, Any]:
    row = {
        "model": key[0],
        "similarity": key[1],
        "family": seeds["family"].iloc[0],
        "protocol": seeds["protocol"].iloc[0],
        "seeds": len(seeds),
    }
    intervals = bootstrap_intervals(
        ranks, resamples=settings.resamples, seed=settings.seed, measures=settings.metrics
    )
    for metric in (*METRICS, *_added(ranks[0], settings)):
        row[metric] = seeds[metric].mean()
        row[f"{metric}_sd"] = seeds[metric].std(ddof=1) if len(seeds) > 1 else None
        row[f"{metric}_lo"], row[f"{metric}_hi"] = intervals[metric]
    for column in ("latency_ms", "memory_mb", *SIZES, "deployable", *SIMULATED):
        row[column] = seeds[column].iloc[0]
    for column in ("logvar_mean", "logvar_at_lower", "train_seconds"):
        row[column] = seeds[column].astype(float).mean()
    return row


def _added(ranks: RetrievalRanks, settings: EvaluationSettings) -> list[str]:
    """Columns beside those of every leaderboard: of the metrics that the config adds, and folds."""
    added = [
        f"{direction}_{name}"
        for direction in DIRECTIONS
        for name in (*settings.metrics, *ranks.of(direction).further)
    ]
    if ranks.folds is None:
        return added
    of_folds = (*METRICS, *_added(ranks.folds, settings))
    return [*added, *(f"fold_{metric}" for metric in of_folds)]


def _load_ranks(config: Config, space: Path) -> dict[Key, list[RetrievalRanks]]:
    return {
        (model, kind): [
            RetrievalRanks.load(run_directory(space, run) / f"{kind}.ranks.parquet")
            for run in config.runs_of(model)
        ]
        for model in config.models
        for kind in config.model_entry(model).scored_by
    }


def compare(
    keys: list[Key],
    other: Key,
    ranks: Mapping[Key, list[RetrievalRanks]],
    settings: EvaluationSettings,
) -> list[tuple[PairedTest, float]]:
    """Test each row against ``other``; p-values are corrected over the rows but itself."""
    tests = [
        paired_test(
            ranks[key],
            ranks[other],
            metric="rsum",
            resamples=settings.permutations,
            seed=settings.seed,
        )
        for key in keys
    ]
    others = [index for index, key in enumerate(keys) if key != other]
    adjusted = dict(zip(others, holm([tests[i].p_value for i in others]), strict=True))
    return [(test, float(adjusted.get(i, 1.0))) for i, test in enumerate(tests)]


def _verdict(key: Key, other: Key, found: tuple[PairedTest, float] | None) -> str:
    if key == other:
        return "itself"
    if found is None:
        return "other queries"
    test, p_value = found
    if p_value >= LEVEL:
        return "no significant difference"
    return "better" if test.difference > 0 else "worse"
