"""Everything that is said of one similarity matrix: ranks, metrics and their intervals.

The one way from a matrix to a row of a table, for a run's matrix and for one made elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polymatch.evaluation.counting import Similarity
from polymatch.evaluation.intervals import bootstrap_intervals
from polymatch.evaluation.metrics import metrics_of
from polymatch.evaluation.ranks import RetrievalRanks, retrieval_ranks
from polymatch.settings.stages import EvaluationSettings


@dataclass(frozen=True)
class ScoredMatrix:
    """What a matrix [n_items, n_captions] got.

    Attributes:
        ranks: of every query of both directions, for paired tests.
        metrics: figures by name, as :func:`polymatch.evaluation.metrics.metrics_of` gives them.
        intervals: (low, high) under the same names.
    """

    ranks: RetrievalRanks
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    n_items: int
    n_captions: int

    def record(self) -> dict[str, Any]:
        """What a run's ``metrics.json`` holds."""
        return {
            "metrics": self.metrics,
            "intervals": self.intervals,
            "n_items": self.n_items,
            "n_captions": self.n_captions,
        }

    def row(self) -> dict[str, Any]:
        """The columns of a table: sizes, and each metric with its bounds ``_lo`` and ``_hi``."""
        sizes = {"n_items": self.n_items, "n_captions": self.n_captions}
        return {**sizes, **with_bounds(self.metrics, self.intervals)}


def score_matrix(
    similarity: Similarity,
    item_ids: Sequence[Any],
    caption_item_ids: Sequence[Any],
    settings: EvaluationSettings,
    *,
    threads: int | None = None,
) -> ScoredMatrix:
    """Score a similarity matrix [N, M] (items x captions) in both directions.

    Args:
        similarity: larger is better; NumPy (a memory-mapped file too) or torch.
        item_ids: [N] unique ids of the rows.
        caption_item_ids: [M] for each column its item's id, or the ids of all that it names.
        settings: recalls, further metrics, resamples and seed.
        threads: as of :func:`polymatch.evaluation.ranks.retrieval_ranks`.

    Raises:
        DataError: shapes and ids contradict each other, ids repeat, or a query has no positive.
        NumericsError: a similarity is NaN or infinite.
    """
    ranks = retrieval_ranks(similarity, item_ids, caption_item_ids, threads=threads)
    return ScoredMatrix(
        ranks,
        metrics_of(ranks, settings.k, settings.metrics),
        bootstrap_intervals(
            ranks, settings.k, settings.resamples, settings.seed, measures=settings.metrics
        ),
        n_items=len(item_ids),
        n_captions=len(caption_item_ids),
    )


def with_bounds(
    metrics: Mapping[str, float], intervals: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """Each metric followed by its bounds.

    >>> with_bounds({"rsum": 3.0}, {"rsum": (1.0, 4.0)})
    {'rsum': 3.0, 'rsum_lo': 1.0, 'rsum_hi': 4.0}
    """
    row = {}
    for name, value in metrics.items():
        row[name] = value
        row[f"{name}_lo"], row[f"{name}_hi"] = intervals[name]
    return row
