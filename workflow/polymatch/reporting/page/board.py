"""What every row of the leaderboard got on every query, the mean over its seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polymatch.evaluation import RetrievalRanks
from polymatch.evaluation.query_ranks import DIRECTIONS, RSUM_AT, Direction
from polymatch.evaluation.significance import same_queries
from polymatch.reporting.summary import run_directory
from polymatch.settings.config import Config

Key = tuple[str, str]


@dataclass(frozen=True)
class RowRanks:
    """One model and similarity.

    Attributes:
        first: what its first seed got.
        rank: [Q] mean over seeds of the expected rank, from 1, by direction.
        rsum: [Q] mean over seeds of what a query adds to the R-sum, in percent, by direction.
    """

    first: RetrievalRanks
    rank: Mapping[Direction, np.ndarray]
    rsum: Mapping[Direction, np.ndarray]


def row_key(key: Key) -> str:
    """What the page calls a row; a model's name has no slash.

    >>> row_key(("pcme", "mean"))
    'pcme/mean'
    """
    return "/".join(key)


def keys_of(config: Config) -> list[Key]:
    """Models and similarities, in the order of the config."""
    return [(name, kind) for name in config.models for kind in config.model_entry(name).scored_by]


def comparable_ranks(config: Config, space: Path) -> dict[Key, RowRanks]:
    """Rows of the same queries as the baseline's; the others cannot be set against it.

    Args:
        config: the configuration whose runs they are.
        space: folder that holds ``runs/``.
    """
    baseline = (config.baseline, config.model_entry(config.baseline).scored_by[0])
    rows = {baseline: row_ranks(config, space, baseline)}
    rows |= {k: row_ranks(config, space, k) for k in keys_of(config) if k != baseline}
    asked = rows[baseline].first
    return {key: rows[key] for key in keys_of(config) if same_queries(rows[key].first, asked)}


def row_ranks(config: Config, space: Path, key: Key) -> RowRanks:
    """Read the ranks of all seeds of a row, one after the other."""
    first, number = None, 0
    rank: dict[Direction, np.ndarray] = {}
    rsum: dict[Direction, np.ndarray] = {}
    for ranks in _seeds(config, space, key):
        first, number = first or ranks, number + 1
        for each in DIRECTIONS:
            hits = np.sum([100.0 * ranks.hits(each, k) for k in RSUM_AT], axis=0)
            rank[each] = rank.get(each, 0.0) + ranks.expected_rank(each)
            rsum[each] = rsum.get(each, 0.0) + hits
    assert first is not None  # a model has a seed
    return RowRanks(
        first,
        {each: values / number for each, values in rank.items()},
        {each: values / number for each, values in rsum.items()},
    )


def _seeds(config: Config, space: Path, key: Key) -> Iterator[RetrievalRanks]:
    for run in config.runs_of(key[0]):
        yield RetrievalRanks.load(run_directory(space, run) / f"{key[1]}.ranks.parquet")
