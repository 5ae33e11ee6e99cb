"""Everything that is said of one similarity matrix: ranks, metrics and their intervals.

The one way from a matrix to a row of a table, for a run's matrix and for one made elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from polymatch.data.annotations import read_cxc, read_eccv
from polymatch.data.categories import GROUPS, category_codes, category_table
from polymatch.data.semantic_store import read_semantics
from polymatch.data.tables import read_table
from polymatch.errors import DataError
from polymatch.evaluation.annotated import add_annotated
from polymatch.evaluation.asp import Semantic
from polymatch.evaluation.counting import Similarity
from polymatch.evaluation.intervals import bootstrap_intervals
from polymatch.evaluation.judged import judged_ranks
from polymatch.evaluation.metrics import metrics_of
from polymatch.evaluation.query_ranks import RetrievalRanks
from polymatch.settings.stages import EvaluationSettings


class Evidence(NamedTuple):
    """What figures are computed from that need more than the right answers; each may be missing.

    Attributes:
        semantic: semantic similarity [N, M], for ASP.
        category_codes: [N, C] of 0 and 1, for PMRP.
        answers: right answers found afterwards, of ``eccv`` and ``cxc``.
        caption_columns: caption id -> its column, for those.
    """

    semantic: Semantic | None = None
    category_codes: np.ndarray | None = None
    answers: Mapping[str, tuple[Mapping, Mapping] | None] = {}
    caption_columns: Mapping[str, int] = {}


def read_evidence(
    settings: EvaluationSettings,
    item_ids: Sequence[str],
    texts: Sequence[str],
    caption_columns: Mapping[str, int],
    semantic: Path | None = None,
    categories: Path | None = None,
) -> Evidence:
    """Read what ``settings`` ask for, of these items and texts.

    Args:
        semantic: as :func:`polymatch.data.semantic_store.write_semantics` writes it.
        categories: a table of categories.

    Raises:
        DataError: a file is missing or damaged, or lacks an item or a text.
    """
    table = None if categories is None else read_table(categories, "categories")
    return Evidence(
        None if semantic is None else read_semantics(semantic, item_ids, texts),
        None if table is None else category_codes(table, item_ids),
        {
            "eccv": None if settings.eccv is None else read_eccv(settings.eccv),
            "cxc": None if settings.cxc is None else read_cxc(settings.cxc),
        },
        caption_columns,
    )


def foreign_evidence(
    settings: EvaluationSettings, item_ids: Sequence[str]
) -> tuple[EvaluationSettings, Evidence]:
    """The same for items of another data set: settings and evidence as far as they go for these.

    Categories are looked for in the configured file; folds are left out where the items cannot be
    cut into so many. What is left out is printed.
    """
    if settings.folds is not None and len(item_ids) % settings.folds:
        print(f"folds are left out: {len(item_ids)} items cannot be cut into {settings.folds}")
        settings = settings.model_copy(update={"folds": None})
    if settings.pmrp in (None, GROUPS):
        return settings, Evidence()
    try:
        table = category_table(settings.pmrp, pd.DataFrame({"item_id": list(item_ids)}, dtype=str))
    except DataError as error:
        print(f"PMRP is left out: {error}")
        return settings, Evidence()
    return settings, Evidence(category_codes=category_codes(table, item_ids))


_NONE = Evidence()


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
    evidence: Evidence = _NONE,
    *,
    threads: int | None = None,
) -> ScoredMatrix:
    """Score a similarity matrix [N, M] (items x captions) in both directions.

    Args:
        similarity: larger is better; NumPy (a memory-mapped file too) or torch.
        item_ids: [N] unique ids of the rows.
        caption_item_ids: [M] for each column its item's id, or the ids of all that it names.
        settings: recalls, further metrics, folds, resamples and seed.
        evidence: what further figures need; those without it are left out.
        threads: as of :func:`polymatch.evaluation.ranks.retrieval_ranks`.

    Raises:
        DataError: shapes and ids contradict each other, ids repeat, or a query has no positive.
        NumericsError: a similarity is NaN or infinite.
    """
    ranks = judged_ranks(
        similarity,
        item_ids,
        caption_item_ids,
        semantic=evidence.semantic,
        category_codes=evidence.category_codes,
        folds=settings.folds,
        threads=threads,
    )
    ranks = add_annotated(
        ranks, similarity, evidence.answers, item_ids, evidence.caption_columns, threads=threads
    )
    return score_ranks(ranks, settings, len(item_ids), len(caption_item_ids))


def score_ranks(
    ranks: RetrievalRanks, settings: EvaluationSettings, n_items: int, n_captions: int
) -> ScoredMatrix:
    """The same of ranks that were counted before, of a matrix of this size."""
    return ScoredMatrix(
        ranks,
        metrics_of(ranks, settings.k, settings.metrics),
        bootstrap_intervals(
            ranks, settings.k, settings.resamples, settings.seed, measures=settings.metrics
        ),
        n_items=n_items,
        n_captions=n_captions,
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
