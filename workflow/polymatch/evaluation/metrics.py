"""The figures of a results row: recalls, median and mean rank, mean average precision.

Recalls and average precision are percentages (0 to 100), ranks are counted from 1, and the
best-ranked positive counts for all of them but average precision. With ties, ``medr`` is the median
of the queries' expected ranks; it is not rounded, so an even number of queries may give a half.
R-sum is the sum of R@1, R@5 and R@10 in both directions, whichever recalls are asked for.
Further metrics come from :mod:`polymatch.evaluation.measures`, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polymatch.evaluation.counting import Similarity
from polymatch.evaluation.measures import figures
from polymatch.evaluation.ranks import DIRECTIONS, RSUM_AT, RetrievalRanks, retrieval_ranks


def retrieval_metrics(
    similarity: Similarity,
    item_ids: Sequence[Any] | np.ndarray,
    caption_item_ids: Sequence[Any] | np.ndarray,
    recall_at: Sequence[int] = (1, 5, 10),
    *,
    allow_unmatched: bool = False,
    threads: int | None = None,
) -> dict[str, float]:
    """Score a similarity matrix [N, M] (items x captions) in both directions.

    Arguments and errors are those of :func:`polymatch.evaluation.ranks.retrieval_ranks`.

    Returns:
        ``t2v_r1 t2v_r5 t2v_r10 t2v_medr t2v_meanr t2v_map``, the same for ``v2t``, and ``rsum``;
        with other ``recall_at``, ``t2v_r<k>`` for each k.

    >>> retrieval_metrics(np.eye(3), ["a", "b", "c"], ["a", "b", "c"])["rsum"]
    600.0
    """
    ranks = retrieval_ranks(
        similarity,
        item_ids,
        caption_item_ids,
        allow_unmatched=allow_unmatched,
        threads=threads,
    )
    return metrics_of(ranks, recall_at)


def metrics_of(
    ranks: RetrievalRanks, recall_at: Sequence[int] = (1, 5, 10), measures: Sequence[str] = ()
) -> dict[str, float]:
    """The same figures from ranks that were already counted, and those of ``measures``, by name.

    Further figures that are kept with the ranks are averaged over the queries that have one; those
    of the folds are called as the others, with ``fold_`` before.
    """
    metrics = {}
    rsum = 0.0
    for direction in DIRECTIONS:
        part = ranks.of(direction)
        hits = {k: part.hits(k) for k in {*recall_at, *RSUM_AT}}
        recall = {k: 100.0 * float(np.sum(hit)) / len(hit) for k, hit in hits.items()}
        for k in recall_at:
            metrics[f"{direction}_r{k}"] = recall[k]
        metrics[f"{direction}_medr"] = float(np.median(part.expected_rank))
        metrics[f"{direction}_meanr"] = float(np.mean(part.expected_rank))
        metrics[f"{direction}_map"] = 100.0 * float(np.mean(part.average_precision))
        for name, values in figures(part, measures).items():
            metrics[f"{direction}_{name}"] = float(np.nanmean(values))
        rsum += sum(recall[k] for k in RSUM_AT)
    metrics["rsum"] = rsum
    if ranks.folds is not None:
        of_folds = metrics_of(ranks.folds, recall_at, measures)
        metrics |= {f"fold_{name}": value for name, value in of_folds.items()}
    return metrics
