"""Ranks of a matrix that is too large for one job or one file: a share of the queries in each job.

A share is some items, ranked by their rows of the matrix, and some captions, ranked by their
columns: together the shares are the ranks of the whole matrix, to the bit, with every figure
(R-precision, average precision, ASP and PMRP follow the whole order of a query's candidates, so
they need its whole row or column; none needs more).

Decision: the matrix is read twice, by rows and by columns, in panels of at most 256 MB. Counting
in one pass over the rows would add up for the recalls, but sorted figures would still need columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.annotated import Annotation, annotated_pairs
from polymatch.evaluation.gallery import Gallery
from polymatch.evaluation.judged import refuse_folds
from polymatch.evaluation.pmrp import refuse_uncategorised
from polymatch.evaluation.query_ranks import DirectionRanks, RetrievalRanks, joined_direction
from polymatch.evaluation.ranks import (
    DIRECTIONS,
    check_shapes,
    positive_pairs,
    refuse_uncaptioned,
)
from polymatch.evaluation.record import Evidence
from polymatch.evaluation.row_shards import PANEL_BYTES, RowShards


def share_of_ranks(
    matrix: RowShards,
    item_ids: Sequence[Any],
    caption_item_ids: Sequence[Any],
    evidence: Evidence,
    folds: int | None = None,
    *,
    share: int = 0,
    shares: int = 1,
    threads: int = 1,
    panel_bytes: int = PANEL_BYTES,
) -> RetrievalRanks:
    """Ranks of the queries of one of ``shares`` shares, with all figures that are asked for.

    Args:
        matrix: similarities of items x captions, [N, M].
        item_ids: [N] unique ids of the rows.
        caption_item_ids: [M] for each column its item's id, or the ids of all that it names.
        evidence: what further figures need.
        folds: number of equal parts that the items are cut into, for the result's ``folds``.
        panel_bytes: what is read of the matrix at once.

    Raises:
        DataError: shapes and ids contradict each other, a query has no right answer, or the items
            cannot be cut into so many folds.
        NumericsError: a similarity is NaN or infinite.
    """
    whole = _gallery(matrix.shape, item_ids, caption_item_ids, evidence)
    refuse_folds(len(item_ids), folds)
    height = len(item_ids) // folds if folds else 0
    tops = range(0, len(item_ids), height) if folds else range(0)
    parts = [(slice(top, top + height), whole.within(slice(top, top + height))) for top in tops]
    if evidence.category_codes is not None:
        for part in [whole, *(part for _, part in parts)]:
            assert part.codes is not None  # each has the rows of all
            refuse_uncategorised(part.codes, part.item_of)
    found: dict[str, DirectionRanks] = {}
    within: dict[str, DirectionRanks] = {}
    for direction in DIRECTIONS:
        of_items = direction == "v2t"
        number, width = matrix.shape if of_items else matrix.shape[::-1]
        read: Callable[[int, int], np.ndarray] = matrix.rows if of_items else matrix.columns
        first, end = number * share // shares, number * (share + 1) // shares
        step = max(1, panel_bytes // (matrix.dtype.itemsize * width))
        panels, in_folds = [], []
        for start in range(first, end, step):
            queries = slice(start, min(start + step, end))
            scores = read(queries.start, queries.stop)
            panels.append(whole.ranks(scores, of_items, queries, threads))
            for rows, part in parts:
                in_folds += _within(scores, of_items, queries, rows, part, threads)
        found[direction], within[direction] = joined_direction(panels), joined_direction(in_folds)
    inside = RetrievalRanks(within["t2v"], within["v2t"]) if folds else None
    return RetrievalRanks(found["t2v"], found["v2t"], inside)


def merged_ranks(
    shares: Sequence[RetrievalRanks], item_ids: Sequence[Any], folds: int | None = None
) -> RetrievalRanks:
    """The ranks of all shares, in their order, as of the whole matrix.

    Raises:
        DataError: a figure leaves out every query.
    """
    ranks = _joined(shares)
    if not folds:
        return ranks
    within = _joined([each.folds for each in shares if each.folds is not None])
    row_of = {item: row for row, item in enumerate(item_ids)}
    height = len(item_ids) // folds
    of_fold = np.array([row_of[item] // height for item in within.t2v.clusters])
    # The panels are of captions: fold after fold, as the folds by themselves would have it.
    order = np.lexsort((np.arange(len(of_fold)), of_fold))
    return replace(ranks, folds=replace(within, t2v=within.t2v.taken(order)))


def _joined(shares: Sequence[RetrievalRanks]) -> RetrievalRanks:
    parts = {each: joined_direction([one.of(each) for one in shares]) for each in DIRECTIONS}
    figures = {
        f"{direction}_{name}": values
        for direction, part in parts.items()
        for name, values in part.further.items()
    }
    bare = {direction: replace(part, further={}) for direction, part in parts.items()}
    return RetrievalRanks(bare["t2v"], bare["v2t"]).with_further(figures)


def _within(
    scores: np.ndarray,
    of_items: bool,
    queries: slice,
    rows: slice,
    part: Gallery,
    threads: int,
) -> list[DirectionRanks]:
    """What those of the panel's queries get that are in this fold, within it; nothing if none."""
    if of_items:
        first, last = max(queries.start, rows.start), min(queries.stop, rows.stop)
        if first >= last:
            return []
        inside = scores[first - queries.start : last - queries.start][:, part.captions]
        return [part.ranks(inside, True, slice(first - rows.start, last - rows.start), threads)]
    first, last = np.searchsorted(part.captions, [queries.start, queries.stop]).tolist()
    if first == last:
        return []
    inside = scores[rows][:, part.captions[first:last] - queries.start]
    return [part.ranks(np.ascontiguousarray(inside), False, slice(first, last), threads)]


def _gallery(
    shape: tuple[int, int],
    item_ids: Sequence[Any],
    caption_item_ids: Sequence[Any],
    evidence: Evidence,
) -> Gallery:
    items, captions = list(item_ids), list(caption_item_ids)
    check_shapes(shape, items, captions, captions)
    rows, columns = positive_pairs(items, captions)
    has_caption = np.bincount(rows, minlength=len(items)) > 0
    refuse_uncaptioned(items, has_caption)
    item_of = np.empty(len(captions), np.intp)
    item_of[columns[::-1]] = rows[::-1]  # the first one named is written last
    return Gallery(
        items,
        rows,
        columns,
        np.arange(len(captions)),
        item_of,
        evidence.semantic,
        evidence.category_codes,
        _answers(evidence, items),
    )


def _answers(
    evidence: Evidence, items: Sequence[Any]
) -> dict[str, dict[bool, tuple[np.ndarray, np.ndarray]]]:
    """The annotated right answers by the annotation's name, of items and of captions as queries."""
    row_of = {item: row for row, item in enumerate(items)}
    columns, found = evidence.caption_columns, {}
    for name, answers in evidence.answers.items():
        if answers is None:
            continue
        annotation = Annotation(*answers)
        try:
            found[name] = {
                True: annotated_pairs(annotation.captions_of_item, row_of, columns, "item"),
                False: annotated_pairs(annotation.items_of_caption, columns, row_of, "caption"),
            }
        except DataError as error:
            raise DataError(f"evaluation.{name}: {error}") from error
    return found
