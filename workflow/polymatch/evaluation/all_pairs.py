"""Every pair of several methods on the same queries, tested at once.

The test and the interval of :mod:`.significance`, of the R-sum. Both are linear in what the items
contribute, so that one draw of resamples and one of sign flips serves all methods, and a pair is a
difference of two columns. Intervals are those of :func:`.significance.paired_test` to rounding;
p-values are of other sign flips than its, and differ by what 10,000 flips leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.intervals import (
    check_resampling,
    cluster_index,
    percentile_interval,
    resampled_means,
    resampled_weights,
)
from polymatch.evaluation.query_ranks import DIRECTIONS, Direction

_CHUNK_ELEMENTS = 4_000_000
_SUMMATION_ERROR = 1e-10


@dataclass(frozen=True)
class AllPairs:
    """Outcome of :func:`all_paired_tests`; entry [a, b] is of method a minus method b.

    Attributes:
        difference: [R, R] of the R-sum.
        low, high: [R, R] bounds of its interval.
        p_value: [R, R], two-sided; 1 where a is b.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray


def all_paired_tests(
    values: Mapping[Direction, np.ndarray],
    clusters: Mapping[Direction, Sequence[object] | np.ndarray],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> AllPairs:
    """Test every pair of R methods by sign flips over items, and bound its difference.

    Args:
        values: [Q, R] of each direction: what a query adds to the R-sum of each method, in percent,
            the mean over its seeds.
        clusters: [Q] item of each query.
        resamples: sign flips, and as many bootstrap draws.
        seed: of both.
        level: of the intervals.

    Raises:
        DataError: values and items do not belong together.
        NumericsError: ``resamples`` or ``level`` mean nothing.
    """
    check_resampling(resamples, level)
    for each in DIRECTIONS:
        if len(values[each]) != len(clusters[each]):
            raise DataError(
                f"{each}: {len(values[each])} queries, but items of {len(clusters[each])}"
            )
    ids = [np.asarray(clusters[each], dtype=object) for each in DIRECTIONS]
    index = dict(zip(DIRECTIONS, cluster_index(*ids), strict=True))
    n_clusters = 1 + max(int(each.max()) for each in index.values())
    methods = values[DIRECTIONS[0]].shape[1]
    share = np.zeros((n_clusters, methods))
    for each in DIRECTIONS:
        np.add.at(share, index[each], values[each] / len(values[each]))
    draws = np.concatenate(
        [
            sum(resampled_means(weights, index[each], values[each]) for each in DIRECTIONS)
            for weights in resampled_weights(n_clusters, n_clusters, resamples, seed)
        ]
    )
    low, high = np.zeros((methods, methods)), np.zeros((methods, methods))
    for a in range(methods):
        for b in range(a):
            low[a, b], high[a, b] = percentile_interval(draws[:, a] - draws[:, b], level)
            low[b, a], high[b, a] = -high[a, b], -low[a, b]
    total = share.sum(axis=0)
    return AllPairs(total[:, None] - total[None, :], low, high, _p_values(share, resamples, seed))


def _p_values(share: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    n_clusters, methods = share.shape
    total = share.sum(axis=0)
    margin = _SUMMATION_ERROR * np.abs(share).sum(axis=0).max()
    observed = np.abs(total[:, None] - total[None, :]) - margin
    random = np.random.default_rng([seed, 1])  # not the bootstrap's stream
    chunk = max(1, _CHUNK_ELEMENTS // max(n_clusters, methods * methods))
    reached = np.zeros((methods, methods), np.int64)
    for done in range(0, resamples, chunk):
        n = min(chunk, resamples - done)
        words = random.integers(0, 2**64, size=(n, -(-n_clusters // 64)), dtype=np.uint64)
        signs = np.unpackbits(words.view(np.uint8), axis=1)[:, :n_clusters] * 2.0 - 1.0
        flipped = signs @ share
        reached += (np.abs(flipped[:, :, None] - flipped[:, None, :]) >= observed).sum(axis=0)
    return (reached + 1) / (resamples + 1)
