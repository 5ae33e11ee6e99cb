"""Who is whose right answer in a gallery, and what some of its queries get: whole rows or columns.

All figures of a query follow from its own row or column of the matrix, whatever else is scored: so
a panel of them is enough, and what panels give is put together without any loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polymatch.evaluation.annotated import REPORTED, direction_figures
from polymatch.evaluation.asp import Semantic, direction_precision
from polymatch.evaluation.counting import (
    Counts,
    Thresholds,
    count_candidates,
    pair_values,
    sorted_thresholds,
)
from polymatch.evaluation.pmrp import direction_pmrp
from polymatch.evaluation.query_ranks import DirectionRanks
from polymatch.evaluation.ranks import direction_ranks


@dataclass(frozen=True)
class Gallery:
    """N items and M captions, all or those of a fold.

    Attributes:
        items: [N] ids.
        rows, columns: right answers, [P] each; a caption's in the order that it names items.
        captions: [M] what each caption is called in the result.
        item_of: [M] row of the first item that each caption names.
        semantic: semantic similarity [N, M], for ASP.
        codes: [N, C] of 0 and 1, for PMRP.
        answers: right answers found afterwards: name -> pairs (query, candidate) of the items and
            of the captions as queries.
    """

    items: Sequence[Any]
    rows: np.ndarray
    columns: np.ndarray
    captions: np.ndarray
    item_of: np.ndarray
    semantic: Semantic | None = None
    codes: np.ndarray | None = None
    answers: dict[str, dict[bool, tuple[np.ndarray, np.ndarray]]] | None = None

    def ranks(
        self, scores: np.ndarray, of_items: bool, queries: slice, threads: int
    ) -> DirectionRanks:
        """What these queries get, by ``scores``: their rows [n, M] or their columns [N, n]."""
        asked, given = (self.rows, self.columns) if of_items else (self.columns, self.rows)
        thresholds, counts = _counted(scores, of_items, queries, asked, given, threads)
        further: dict[str, np.ndarray] = {}
        if self.semantic is not None:
            semantic = _part(self.semantic, of_items, queries)
            further["asp"] = direction_precision(scores, semantic, of_items, threads)
        if self.codes is not None:
            further |= direction_pmrp(scores, of_items, self.codes, self.item_of, queries, threads)
        for name, pairs in (self.answers or {}).items():
            found = _counted(scores, of_items, queries, *pairs[of_items], threads)
            figures = direction_figures(*found, *REPORTED[name])
            further |= {f"{name}_{kind}": values for kind, values in figures.items()}
        ids = list(self.items) if of_items else self.captions.tolist()
        owners = ids if of_items else [self.items[row] for row in self.item_of[queries]]
        clusters = owners[queries] if of_items else owners
        ranks = direction_ranks(thresholds, counts, ids[queries], clusters)
        return DirectionRanks(**{**vars(ranks), "further": further})

    def within(self, rows: slice) -> Gallery:
        """The gallery of some of the items and the captions that name one of them."""
        inside = (self.rows >= rows.start) & (self.rows < rows.stop)
        columns = np.unique(self.columns[inside])
        item_of = np.empty(len(columns), np.intp)
        at = np.searchsorted(columns, self.columns[inside])
        item_of[at[::-1]] = self.rows[inside][::-1] - rows.start  # the first one is written last
        semantic = None
        if self.semantic is not None:
            semantic = _part(_part(self.semantic, True, rows), False, columns)
        return Gallery(
            self.items[rows],
            self.rows[inside] - rows.start,
            at,
            self.captions[columns],
            item_of,
            semantic,
            None if self.codes is None else self.codes[rows],
        )


def _counted(
    scores: np.ndarray,
    of_items: bool,
    queries: slice,
    asked: np.ndarray,
    given: np.ndarray,
    threads: int,
) -> tuple[Thresholds, Counts]:
    """Candidates beside each right answer of the queries, those pairs (``asked``, ``given``)."""
    n_queries, n_candidates = scores.shape if of_items else scores.shape[::-1]
    here = (asked >= queries.start) & (asked < queries.stop)
    query, candidate = asked[here] - queries.start, given[here]
    values = pair_values(scores, *((query, candidate) if of_items else (candidate, query)))
    thresholds = sorted_thresholds(query, values, n_queries, n_candidates)
    none = Thresholds(np.zeros(n_candidates + 1, np.int64), values[:0], n_queries)
    both = (thresholds, none) if of_items else (none, thresholds)
    counts = count_candidates(scores, *both, threads=threads)
    return thresholds, counts[0 if of_items else 1]


def _part(matrix: Any, of_items: bool, queries: Any) -> Any:
    """Some rows or columns of a semantic similarity; of a sparse one sparse."""
    if hasattr(matrix, "tocsr"):
        matrix = matrix.tocsr()
    return matrix[queries] if of_items else matrix[:, queries]
