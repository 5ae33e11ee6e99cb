"""Is one method better than another on the same queries?

p-value: a paired randomisation test. If the methods were alike, swapping them on any item would be
as likely as not, so the signs of the items' summed differences are flipped at random and the
observed difference is placed among the outcomes (Smucker, Allan and Carterette, "A comparison of
statistical significance tests for information retrieval evaluation", CIKM 2007), two-sided, with
one added to both counts so that p is never zero (Phipson and Smyth, 2010). Whole items are swapped,
because the captions of one item are not independent.

Interval: the percentile bootstrap over items of :mod:`polymatch.evaluation.intervals`, applied to
the difference. Several seeds of a method are averaged per query first: the test then asks about
these trained models on other items, not about other seeds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation.intervals import (
    check_resampling,
    cluster_index,
    percentile_interval,
    resampled_means,
    resampled_weights,
)
from polymatch.evaluation.ranks import DIRECTIONS, RSUM_AT, Direction, RetrievalRanks

Ranks: TypeAlias = "RetrievalRanks | Sequence[RetrievalRanks] | np.ndarray | Sequence[float]"

_CHUNK_ELEMENTS = 4_000_000
# Outcomes that equal the observed one but for the order of summation count as reaching it.
_SUMMATION_ERROR = 1e-10


@dataclass(frozen=True)
class PairedTest:
    """Outcome of :func:`paired_test`; ``difference`` is a minus b in the metric's unit."""

    difference: float
    low: float
    high: float
    p_value: float
    metric: str
    n_queries: int
    n_clusters: int

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) of the difference."""
        return self.low, self.high


def paired_test(
    ranks_a: Ranks,
    ranks_b: Ranks,
    metric: str = "rsum",
    resamples: int = 10000,
    seed: int = 0,
    level: float = 0.95,
    *,
    clusters: Sequence[Any] | np.ndarray | None = None,
) -> PairedTest:
    """Compare two methods on the same queries: sign flips over items, bootstrap over items.

    Args:
        ranks_a: :class:`RetrievalRanks` of one run or of several seeds, whose per-query values are
            averaged first; or plain ranks counted from 1, [Q] or seeds x queries [S, Q].
        ranks_b: the other method's, of the same queries in the same order.
        metric: ``rsum``, or ``t2v_`` or ``v2t_`` and ``r1``, ``r5``, any other ``r<k>``, ``meanr``,
            ``map`` or a figure kept with the ranks, such as ``asp``; after ``fold_`` any of these
            within folds. Of plain ranks: ``r<k>``, ``meanr`` or ``rsum`` (their R@1, R@5, R@10).
        resamples: sign flips, and as many bootstrap draws.
        seed: of both.
        level: of the interval.
        clusters: [Q] item of each plain rank; each query by itself if not given.

    Raises:
        DataError: the queries differ, or plain ranks are not numbers from 1 up.
        NumericsError: the metric is unknown, or ``resamples`` or ``level`` mean nothing.

    >>> test = paired_test([1, 1, 2, 1, 1, 1], [1, 1, 2, 1, 1, 1], metric="r1")
    >>> test.difference, test.p_value
    (0.0, 1.0)
    """
    check_resampling(resamples, level)
    runs_a, runs_b = _runs(ranks_a), _runs(ranks_b)
    if isinstance(runs_a, np.ndarray) or isinstance(runs_b, np.ndarray):
        if not (isinstance(runs_a, np.ndarray) and isinstance(runs_b, np.ndarray)):
            raise DataError(
                "paired_test compares RetrievalRanks with RetrievalRanks, or plain ranks"
            )
        differences = _plain_differences(runs_a, runs_b, metric, clusters)
    else:
        if clusters is not None:
            raise DataError("clusters are for plain ranks; RetrievalRanks bring their own")
        differences = _differences(runs_a, runs_b, metric)
    # The metric is a sum over directions of means over queries, and so is the difference.
    index = cluster_index(*(ids for ids, _ in differences))
    n_clusters = 1 + max(int(each.max()) for each in index)
    share = np.zeros(n_clusters)
    for (_, values), each in zip(differences, index, strict=True):
        share += np.bincount(each, values / len(values), minlength=n_clusters)
    draws = []
    for weights in resampled_weights(n_clusters, n_clusters, resamples, seed):
        draws.append(
            sum(
                resampled_means(weights, each, values[:, None])[:, 0]
                for (_, values), each in zip(differences, index, strict=True)
            )
        )
    low, high = percentile_interval(np.concatenate(draws), level)
    return PairedTest(
        difference=float(share.sum()),
        low=low,
        high=high,
        p_value=_sign_flip_p_value(share, resamples, seed),
        metric=metric,
        n_queries=sum(len(values) for _, values in differences),
        n_clusters=n_clusters,
    )


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p-values for their number (Holm, 1979), in the order given.

    Raises:
        NumericsError: one of them is not in [0, 1].

    >>> holm([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise NumericsError(f"p-values are a list of numbers from 0 to 1, got {p_values!r}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _runs(ranks: Ranks) -> list[RetrievalRanks] | np.ndarray:
    if isinstance(ranks, RetrievalRanks):
        return [ranks]
    listed = list(ranks)
    if not listed:
        raise DataError("paired_test was given no ranks")
    runs = [each for each in listed if isinstance(each, RetrievalRanks)]
    if len(runs) == len(listed):
        return runs
    plain = np.atleast_2d(np.asarray(listed, np.float64))
    if plain.ndim != 2 or plain.shape[1] == 0 or not (plain >= 1.0).all():
        raise DataError(f"plain ranks are numbers counted from 1, [Q] or [S, Q], got {ranks!r}")
    return plain


def _plain_differences(
    a: np.ndarray, b: np.ndarray, metric: str, clusters: Sequence[Any] | np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    n_queries = a.shape[1]
    if b.shape[1] != n_queries:
        raise DataError(f"ranks of {n_queries} and of {b.shape[1]} queries cannot be paired")
    ids = np.arange(n_queries) if clusters is None else np.asarray(clusters)
    if len(ids) != n_queries:
        raise DataError(f"clusters holds {len(ids)} ids for {n_queries} queries")
    if metric == "meanr":
        return [(ids, a.mean(axis=0) - b.mean(axis=0))]
    at = RSUM_AT if metric == "rsum" else (_recall(metric, "r<k>, meanr or rsum"),)
    hits_a, hits_b = (
        np.sum([100.0 * (ranks <= k) for k in at], axis=0).mean(axis=0) for ranks in (a, b)
    )
    return [(ids, hits_a - hits_b)]


def _differences(
    a: list[RetrievalRanks], b: list[RetrievalRanks], metric: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Item ids and differences of the queries of each direction that the metric looks at."""
    if metric.startswith("fold_"):
        if not all(run.folds for run in (*a, *b)):
            raise DataError(f"metric {metric!r}: the ranks hold no folds; set `evaluation.folds`")
        a, b = ([run.folds for run in runs if run.folds] for runs in (a, b))
        metric = metric.removeprefix("fold_")
    _check_same_queries([*a, *b])
    direction, _, name = metric.partition("_")
    if metric == "rsum":
        wanted: list[tuple[Direction, str]] = [(each, "rsum") for each in DIRECTIONS]
    elif direction == "t2v":
        wanted = [("t2v", name)]
    elif direction == "v2t":
        wanted = [("v2t", name)]
    else:
        raise _unknown(metric, "rsum, or t2v_ or v2t_ and r<k>, meanr or map")
    found = []
    for each, kind in wanted:
        means = [np.mean([_values(run, each, kind) for run in runs], axis=0) for runs in (a, b)]
        difference = means[0] - means[1]
        counted = ~np.isnan(difference)  # of a further figure some queries may be left out
        found.append((a[0].clusters(each)[counted], difference[counted]))
    return found


def _values(ranks: RetrievalRanks, direction: Direction, name: str) -> np.ndarray:
    if name == "meanr":
        return ranks.expected_rank(direction)
    if name == "map":
        return 100.0 * ranks.average_precision(direction)
    further = ranks.of(direction).further
    if name in further:
        return further[name]
    allowed = ", ".join(["r<k>", *further, "meanr"]) + " or map after t2v_ or v2t_"
    at = RSUM_AT if name == "rsum" else (_recall(name, allowed),)
    return np.sum([100.0 * ranks.hits(direction, k) for k in at], axis=0)


def _recall(name: str, allowed: str) -> int:
    match = re.fullmatch(r"r([1-9][0-9]*)", name)
    if match is None:
        raise _unknown(name, allowed)
    return int(match.group(1))


def _unknown(metric: str, allowed: str) -> NumericsError:
    return NumericsError(f"metric {metric!r} cannot be tested; choose {allowed}")


def same_queries(a: RetrievalRanks, b: RetrievalRanks) -> bool:
    """Whether both are ranks of the same queries over the same gallery, so that they can be paired.

    One whose items are fewer (those that have sound, say) cannot.
    """
    return _difference_between(a, b) is None


def _check_same_queries(runs: list[RetrievalRanks]) -> None:
    for run in runs[1:]:
        if found := _difference_between(runs[0], run):
            raise DataError(
                f"paired_test: the runs differ in {found}; only ranks of "
                "the same queries over the same gallery, in the same order, can be paired"
            )


def _difference_between(a: RetrievalRanks, b: RetrievalRanks) -> str | None:
    for direction in DIRECTIONS:
        for field in ("query_ids", "clusters", "n_candidates"):
            if not np.array_equal(*(getattr(one.of(direction), field) for one in (a, b))):
                return f"{field} of {direction}"
    return None


def _sign_flip_p_value(share: np.ndarray, resamples: int, seed: int) -> float:
    observed = abs(float(share.sum()))
    share = share[share != 0.0]  # an item on which both agree keeps its value under any sign
    margin = _SUMMATION_ERROR * float(np.abs(share).sum())
    random = np.random.default_rng([seed, 1])  # not the bootstrap's stream
    chunk = max(1, _CHUNK_ELEMENTS // max(len(share), 1))
    reached = 0
    for done in range(0, resamples, chunk):
        n = min(chunk, resamples - done)
        words = random.integers(0, 2**64, size=(n, -(-len(share) // 64)), dtype=np.uint64)
        signs = np.unpackbits(words.view(np.uint8), axis=1)[:, : len(share)] * 2.0 - 1.0
        reached += int(np.sum(np.abs(signs @ share) >= observed - margin))
    return (reached + 1) / (resamples + 1)
