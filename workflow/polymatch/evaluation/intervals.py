"""Confidence intervals of every metric by a bootstrap over items.

Captions of one item are not independent, so items are drawn with replacement and bring all their
queries of both directions along; the gallery stays as it is, and so do the ranks. The interval is
the percentile one (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

Decisions: a resample is a vector of weights, so that means are matrix products and medians are
read off cumulated weights, exactly as if the drawn queries had been written out; resamples come in
chunks whose memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from polymatch.errors import NumericsError
from polymatch.evaluation.measures import figures
from polymatch.evaluation.ranks import DIRECTIONS, RSUM_AT, Direction, RetrievalRanks

_CHUNK_ELEMENTS = 4_000_000  # of float64: 32 MB


def bootstrap_intervals(
    ranks: RetrievalRanks | Sequence[RetrievalRanks],
    recall_at: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    measures: Sequence[str] = (),
) -> dict[str, tuple[float, float]]:
    """Bound each metric of :func:`polymatch.evaluation.metrics.metrics_of` from below and above.

    Given the ranks of several seeds on the same queries, the interval is that of the metric's mean
    over the seeds: every seed meets the same resamples.

    Returns:
        (low, high) under the metrics' own keys and in their units.

    Raises:
        NumericsError: fewer than one resample, or a level outside (0, 1).

    >>> from polymatch.evaluation.ranks import retrieval_ranks
    >>> bootstrap_intervals(retrieval_ranks(np.eye(3), "abc", "abc"))["t2v_r1"]
    (100.0, 100.0)
    """
    check_resampling(resamples, level)
    runs = [ranks] if isinstance(ranks, RetrievalRanks) else list(ranks)
    draws = [_draws(run, recall_at, resamples, seed, measures) for run in runs]
    return {
        name: percentile_interval(np.mean([each[name] for each in draws], axis=0), level)
        for name in draws[0]
    }


def recall_intervals(
    ranks: RetrievalRanks | Sequence[RetrievalRanks],
    highest: int,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[Direction, tuple[np.ndarray, np.ndarray]]:
    """Bounds of R@1 to R@``highest`` of both directions, in percent, [highest] each.

    They are those of :func:`bootstrap_intervals`, of the same resamples, without the other metrics:
    a curve of a hundred recalls takes a fourth of the time.

    Raises:
        NumericsError: fewer than one resample, or a level outside (0, 1).
    """
    check_resampling(resamples, level)
    runs = [ranks] if isinstance(ranks, RetrievalRanks) else list(ranks)
    sums: dict[Direction, np.ndarray] = {}
    for run in runs:
        cluster_of = cluster_index(*(run.clusters(direction) for direction in DIRECTIONS))
        n_clusters = 1 + max(int(index.max()) for index in cluster_of)
        widest = max(n_clusters, *(len(index) for index in cluster_of))
        hits = [
            100.0 * np.stack([run.hits(direction, k) for k in range(1, highest + 1)], axis=1)
            for direction in DIRECTIONS
        ]
        draws: list[list[np.ndarray]] = [[], []]
        for weights in resampled_weights(n_clusters, widest, resamples, seed):
            for found, index, values in zip(draws, cluster_of, hits, strict=True):
                found.append(resampled_means(weights, index, values))
        for direction, found in zip(DIRECTIONS, draws, strict=True):
            sums[direction] = sums.get(direction, 0.0) + np.concatenate(found)
    tails = (1.0 - level) / 2.0 * np.array([1, -1]) + [0, 1]
    bounds = {}
    for direction, total in sums.items():
        quantile = np.nanquantile if np.isnan(total).any() else np.quantile
        low, high = quantile(total / len(runs), tails, axis=0)
        bounds[direction] = low, high
    return bounds


def check_resampling(resamples: int, level: float) -> None:
    """Refuse a number of resamples or a confidence level that means nothing."""
    if resamples < 1:
        raise NumericsError(f"resamples is {resamples}, expected 1 or more")
    if not 0.0 < level < 1.0:
        raise NumericsError(f"level is {level}, expected a share between 0 and 1, such as 0.95")


def cluster_index(*clusters: np.ndarray) -> list[np.ndarray]:
    """Number the ids of several arrays together: the same id has the same number in each."""
    number: dict = {}
    return [
        np.array([number.setdefault(each, len(number)) for each in ids.tolist()])
        for ids in clusters
    ]


def resampled_weights(
    n_clusters: int, width: int, resamples: int, seed: int
) -> Iterator[np.ndarray]:
    """Yield how often each cluster is drawn, [chunk, n_clusters], ``resamples`` rows in all.

    ``width`` is the length of the longest row that the caller makes of one resample.
    """
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_ELEMENTS // width)
    for done in range(0, resamples, chunk):
        n = min(chunk, resamples - done)
        drawn = random.integers(0, n_clusters, size=(n, n_clusters))
        drawn += np.arange(n)[:, None] * n_clusters
        counts = np.bincount(drawn.ravel(), minlength=n * n_clusters)
        yield counts.reshape(n, n_clusters).astype(np.float64)


def resampled_means(weights: np.ndarray, cluster: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of ``values`` [Q, V] over the queries of each resample, [R, V].

    A NaN is a query that is left out. The mean is NaN where a resample drew no query at all, which
    only a direction with unmatched items or with such queries can have.
    """
    counted = ~np.isnan(values)

    def of_clusters(columns: np.ndarray) -> np.ndarray:
        n_clusters = weights.shape[1]
        sums = [np.bincount(cluster, column, minlength=n_clusters) for column in columns.T]
        return weights @ np.stack(sums, axis=1)

    # All queries are counted but in a column or two.
    number = of_clusters(np.ones((len(values), 1))) if counted.all() else of_clusters(counted)
    with np.errstate(invalid="ignore"):
        return of_clusters(np.where(counted, values, 0.0)) / number


def percentile_interval(draws: np.ndarray, level: float) -> tuple[float, float]:
    """The central share ``level`` of ``draws``."""
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def _draws(
    ranks: RetrievalRanks,
    recall_at: Sequence[int],
    resamples: int,
    seed: int,
    measures: Sequence[str],
) -> dict[str, np.ndarray]:
    """Every metric of every resample, [resamples] each."""
    cluster_of = cluster_index(*(ranks.clusters(direction) for direction in DIRECTIONS))
    n_clusters = 1 + max(int(index.max()) for index in cluster_of)
    widest = max(n_clusters, *(len(index) for index in cluster_of))
    counted = sorted({*recall_at, *RSUM_AT})
    in_rsum = [counted.index(k) for k in RSUM_AT]
    ranks_of = {direction: ranks.expected_rank(direction) for direction in DIRECTIONS}
    values_of = {
        direction: {f"r{k}": 100.0 * ranks.hits(direction, k) for k in counted}
        | {"meanr": ranks_of[direction], "map": 100.0 * ranks.average_precision(direction)}
        | figures(ranks.of(direction), measures)
        for direction in DIRECTIONS
    }
    unwanted = {f"r{k}" for k in counted if k not in recall_at}
    draws: dict[str, list[np.ndarray]] = {}
    for weights in resampled_weights(n_clusters, widest, resamples, seed):
        rsum = np.zeros(len(weights))
        for direction, index in zip(DIRECTIONS, cluster_of, strict=True):
            values = values_of[direction]
            means = resampled_means(weights, index, np.stack(list(values.values()), axis=1))
            for name, mean in zip(values, means.T, strict=True):
                if name not in unwanted:
                    draws.setdefault(f"{direction}_{name}", []).append(mean)
            medians = _resampled_medians(weights, index, ranks_of[direction])
            draws.setdefault(f"{direction}_medr", []).append(medians)
            rsum += means[:, in_rsum].sum(axis=1)
        draws.setdefault("rsum", []).append(rsum)
    found = {name: np.concatenate(each) for name, each in draws.items()}
    if ranks.folds is not None:
        of_folds = _draws(ranks.folds, recall_at, resamples, seed, measures)
        found |= {f"fold_{name}": each for name, each in of_folds.items()}
    return found


def _resampled_medians(weights: np.ndarray, cluster: np.ndarray, rank: np.ndarray) -> np.ndarray:
    order = np.argsort(rank, kind="stable")
    ordered = rank[order]
    reached = np.cumsum(weights[:, cluster[order]], axis=1)
    total = reached[:, -1]
    # Of n drawn queries the median is the mean of those at places floor and ceil of (n - 1) / 2.
    middle = [
        np.minimum(_places_passed(reached, np.floor(at)), len(rank) - 1)
        for at in ((total - 1) / 2, total / 2)
    ]
    medians = (ordered[middle[0]] + ordered[middle[1]]) / 2.0
    return np.where(total > 0, medians, np.nan)


def _places_passed(reached: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Per row, the first index at which ``reached`` exceeds ``place``."""
    found = [np.searchsorted(row, at, side="right") for row, at in zip(reached, place, strict=True)]
    return np.array(found)
