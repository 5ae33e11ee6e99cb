"""Any two rows of the leaderboard: the paired test, and the queries on which they differ most.

A query is won where the mean rank over seeds is better, and listed by how much reciprocal ranks
differ, as :mod:`polymatch.reporting.comparison` has it. All queries are counted; how many are
listed is bounded for all pairs together, since pairs grow with the square of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polymatch.evaluation.all_pairs import all_paired_tests
from polymatch.evaluation.query_ranks import DIRECTIONS
from polymatch.reporting.page.board import Key, RowRanks, row_key
from polymatch.reporting.page.packed import plain
from polymatch.settings.stages import EvaluationSettings

LISTED = 12_000
"""Queries that all pairs together may list."""
_EQUAL = 1e-9  # mean ranks of equal seeds in another order differ by less


def pairs_of(
    rows: Mapping[Key, RowRanks], settings: EvaluationSettings, changed: int
) -> dict[str, Any]:
    """Test and compare every pair of rows.

    Args:
        rows: ranks on the same queries, two rows or more.
        settings: sign flips and seed.
        changed: queries listed as won, and as lost, of a pair and direction.

    Returns:
        ``rows``, their names, and ``pairs``: for each pair of them, in the order of
        ``itertools.combinations``, ``[difference, low, high, p, {direction: [won, lost, same,
        [query, rank a, rank b, ...], [...]]}]``, of the first minus the second.
    """
    keys = list(rows)
    of_keys = {d: np.stack([rows[key].rsum[d] for key in keys], axis=1) for d in DIRECTIONS}
    clusters = {d: rows[keys[0]].first.clusters(d) for d in DIRECTIONS}
    tests = all_paired_tests(of_keys, clusters, settings.permutations, settings.seed)
    listed = listed_each(len(keys), changed)
    pairs = []
    for a, one in enumerate(keys):
        for b, other in list(enumerate(keys))[a + 1 :]:
            found = (each[a, b] for each in (tests.difference, tests.low, tests.high))
            pairs.append(
                [
                    *(plain(value, 5) for value in found),
                    plain(tests.p_value[a, b], 3),
                    {
                        each: changes(rows[one].rank[each], rows[other].rank[each], listed)
                        for each in DIRECTIONS
                    },
                ]
            )
    return {
        "rows": [row_key(key) for key in keys],
        "pairs": pairs,
        "flips": settings.permutations,
        "queries": {each: len(clusters[each]) for each in DIRECTIONS},
    }


def listed_each(rows: int, changed: int) -> int:
    """Queries that a pair of so many rows lists as won, and as lost, in each direction.

    >>> listed_each(24, 6), listed_each(50, 6), listed_each(100, 6)
    (6, 2, 0)
    """
    pairs = rows * (rows - 1) // 2
    return min(changed, LISTED // max(1, 2 * len(DIRECTIONS) * pairs))


def changes(rank_a: np.ndarray, rank_b: np.ndarray, listed: int) -> list[Any]:
    """What a has won, lost and answered alike, and the queries that changed most, flat.

    >>> changes(np.array([1.0, 9.0, 4.0]), np.array([3.0, 2.0, 4.0]), 5)
    [1, 1, 1, [0, 1, 3], [1, 9, 2]]
    """
    gain = np.abs(1.0 / rank_a - 1.0 / rank_b)
    best = np.minimum(rank_a, rank_b)
    won, lost = rank_b - rank_a > _EQUAL, rank_a - rank_b > _EQUAL
    tops = []
    for which in (won, lost):
        rows = np.flatnonzero(which)
        if listed and len(rows) > listed:
            least = -np.partition(-gain[rows], listed - 1)[listed - 1]
            rows = rows[gain[rows] >= least]
        order = rows[np.lexsort((best[rows], -gain[rows]))][:listed]
        tops.append([v for q in order for v in (int(q), plain(rank_a[q], 4), plain(rank_b[q], 4))])
    alike = len(rank_a) - int(won.sum()) - int(lost.sum())
    return [int(won.sum()), int(lost.sum()), alike, *tops]


def queries_in(pairs: Mapping[str, Any], direction: str) -> set[int]:
    """Rows of all queries of a direction that some pair lists."""
    return {
        query
        for pair in pairs["pairs"]
        for listed in pair[-1][direction][3:]
        for query in listed[::3]
    }
