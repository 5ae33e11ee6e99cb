"""How far down the right answers are: R@K over K, and a histogram of ranks.

Ranks come from :class:`polymatch.evaluation.RetrievalRanks`, of one run, or of several seeds on the
same queries, whose mean is taken. Decisions: intervals are the bootstrap over items of every other
figure, with the same resamples, so that those at K = 1, 5 and 10 are the ones in the tables. The
histogram's bins end at 1, 2, 5 of each power of ten, so that its first bins add up to R@1, R@5 and
R@10; a query whose right answer is tied counts in each bin by the chance that it lands there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from polymatch.errors import DataError
from polymatch.evaluation import RetrievalRanks
from polymatch.evaluation.intervals import recall_intervals
from polymatch.evaluation.query_ranks import DIRECTIONS, DirectionRanks

HIGHEST = 100
"""The largest K of a curve, where the gallery is as large."""


def recall_curve(
    ranks: RetrievalRanks | Sequence[RetrievalRanks], resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """R@K of both directions for K = 1 to 100, or to the number of candidates.

    Args:
        ranks: of one run, or of several seeds on the same queries.
        resamples: of the bootstrap over items.
        seed: of the bootstrap.

    Returns:
        A frame as ``workflow/schemas/recall_curve.schema.json`` describes it: ``direction``, ``k``,
        ``recall`` with its 95% interval ``recall_lo`` and ``recall_hi``, and ``chance``, the recall
        of a random order; all in percent.

    Raises:
        DataError: there are no ranks.

    >>> from polymatch.evaluation import retrieval_ranks
    >>> ranks = retrieval_ranks(np.array([[0.9, 0.1], [0.8, 0.2]]), "ab", "ab")
    >>> recall_curve(ranks)[["direction", "k", "recall"]].values.tolist()
    [['t2v', 1, 100.0], ['t2v', 2, 100.0], ['v2t', 1, 50.0], ['v2t', 2, 100.0]]
    """
    runs = _runs(ranks)
    bounds = recall_intervals(runs, HIGHEST, resamples, seed)
    rows = []
    for direction in DIRECTIONS:
        parts = [run.of(direction) for run in runs]
        for k in range(1, min(HIGHEST, _candidates(parts)) + 1):
            low, high = (float(bound[k - 1]) for bound in bounds[direction])
            rows.append(
                {
                    "direction": direction,
                    "k": k,
                    "recall": 100.0 * float(np.mean([part.hits(k) for part in parts])),
                    "recall_lo": low,
                    "recall_hi": high,
                    "chance": 100.0 * float(np.mean(_in_random_order(parts[0]).hits(k))),
                }
            )
    return pd.DataFrame(rows)


def rank_histogram(ranks: RetrievalRanks | Sequence[RetrievalRanks]) -> pd.DataFrame:
    """How many queries of each direction have their best right answer at which ranks.

    Args:
        ranks: of one run, or of several seeds on the same queries.

    Returns:
        A frame as ``workflow/schemas/rank_histogram.schema.json`` describes it: ``direction``, the
        first and the last rank of the bin, ``queries`` (expected number, mean over seeds), and
        ``share`` of all queries in percent.

    Raises:
        DataError: there are no ranks.
    """
    runs = _runs(ranks)
    rows = []
    for direction in DIRECTIONS:
        parts = [run.of(direction) for run in runs]
        before, reached = 0, 0.0
        for last in bin_ends(_candidates(parts)):
            within = float(np.mean([part.hits(last).sum() for part in parts]))
            # A difference of sums may fall short of zero by a rounding.
            queries = max(0.0, within - reached)
            share = 100.0 * queries / len(parts[0].better)
            rows.append((direction, before + 1, last, queries, share))
            before, reached = last, within
    return pd.DataFrame(rows, columns=["direction", "rank_from", "rank_to", "queries", "share"])


def of_all_models(
    ranks: Mapping[tuple[str, str], Sequence[RetrievalRanks]], resamples: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves and histograms of several models, one below the other: means over their seeds.

    Args:
        ranks: of every seed, by model and similarity.
        resamples: of the bootstrap over items.
        seed: of the bootstrap.

    Returns:
        Frames as ``workflow/schemas/recall_curves.schema.json`` and
        ``workflow/schemas/rank_histograms.schema.json`` describe them.
    """
    curves = {key: recall_curve(runs, resamples, seed) for key, runs in ranks.items()}
    histograms = {key: rank_histogram(runs) for key, runs in ranks.items()}
    return _named(curves), _named(histograms)


def _named(tables: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    named = [
        table.assign(model=model, similarity=kind)[["model", "similarity", *table.columns]]
        for (model, kind), table in tables.items()
    ]
    return pd.concat(named, ignore_index=True)


def bin_ends(candidates: int) -> list[int]:
    """Last ranks of the histogram's bins: 1, 2, 5, 10, 20 ... and the number of candidates.

    >>> bin_ends(213)
    [1, 2, 5, 10, 20, 50, 100, 200, 213]
    """
    powers = (10**power for power in range(len(str(candidates))))
    ends = [step * power for power in powers for step in (1, 2, 5)]
    return [*(end for end in ends if end < candidates), candidates]


def _runs(ranks: RetrievalRanks | Sequence[RetrievalRanks]) -> list[RetrievalRanks]:
    runs = [ranks] if isinstance(ranks, RetrievalRanks) else list(ranks)
    if not runs or not all(len(run.of(each).better) for run in runs for each in DIRECTIONS):
        raise DataError("no ranks of both directions to draw; evaluate the run first")
    # What the queries got within folds is no part of a curve over the whole gallery.
    return [replace(run, folds=None) for run in runs]


def _candidates(parts: list[DirectionRanks]) -> int:
    return max(int(part.n_candidates.max()) for part in parts)


def _in_random_order(part: DirectionRanks) -> DirectionRanks:
    """What the same queries would get if all candidates were tied."""
    return replace(
        part,
        better=np.zeros_like(part.better),
        tied_negatives=part.n_candidates - part.n_positives,
        tied_positives=part.n_positives,
    )
