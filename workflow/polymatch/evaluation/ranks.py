"""Where the right answers land: per-query ranks of both directions from a similarity matrix.

For a query with p positives tied at their best similarity, g negatives above it and t negatives
tied with it, everything about the best-ranked positive under random tie-breaking follows in closed
form: its expected rank is ``g + 1 + t / (p + 1)`` and it is among the first k with probability
``1 - C(t, m) / C(t + p, m)``, m = k - g. Average precision counts all positives, with the
expectation over tied groups of McSherry and Najork, "Computing information retrieval performance
measures efficiently in the presence of tied scores" (ECIR 2008), section 2.

Decisions: ties are broken in expectation, so a constant scorer gets chance; captions that no item
of the gallery belongs to are an error unless they are allowed, and then still compete as
candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.counting import (
    Counts,
    Similarity,
    Thresholds,
    count_candidates,
    default_threads,
    is_tensor,
    pair_values,
    sorted_thresholds,
)
from polymatch.evaluation.query_ranks import (
    DIRECTIONS,
    RSUM_AT,
    Direction,
    DirectionRanks,
    RetrievalRanks,
    object_array,
)

__all__ = [
    "DIRECTIONS",
    "RSUM_AT",
    "Direction",
    "DirectionRanks",
    "RetrievalRanks",
    "retrieval_ranks",
]


def retrieval_ranks(
    similarity: Similarity,
    item_ids: Sequence[Any] | np.ndarray,
    caption_item_ids: Sequence[Any] | np.ndarray,
    *,
    caption_ids: Sequence[Any] | np.ndarray | None = None,
    allow_unmatched: bool = False,
    threads: int | None = None,
) -> RetrievalRanks:
    """Rank both directions of ``similarity`` by counting, in one pass over cache-sized blocks.

    Args:
        similarity: items x captions, [N, M], larger is better; NumPy or torch, any strides.
        item_ids: [N] unique ids of the rows.
        caption_item_ids: [M]; for each column its item's id, or a collection of ids where one
            caption names several items. Each of them is a positive.
        caption_ids: [M] ids of the columns; their positions if not given.
        allow_unmatched: leave out captions whose items are not in the gallery and items without
            captions, as queries. They still compete as candidates.
        threads: CPU threads; torch's number where torch is loaded, else all, if not given.

    Raises:
        DataError: shapes and ids contradict each other, ids repeat, or a query has no positive.
        NumericsError: a similarity is NaN or infinite.

    >>> ranks = retrieval_ranks(np.array([[0.9, 0.1], [0.2, 0.1]]), ["a", "b"], ["a", "b"])
    >>> ranks.expected_rank("v2t"), ranks.expected_rank("t2v")
    (array([1., 2.]), array([1. , 1.5]))
    >>> ranks.hits("t2v", 1)
    array([1. , 0.5])
    """
    if not is_tensor(similarity):
        similarity = np.asarray(similarity)
    items, captions = _listed(item_ids), _listed(caption_item_ids)
    names = list(range(len(captions))) if caption_ids is None else _listed(caption_ids)
    check_shapes(tuple(similarity.shape), items, captions, names)
    rows, columns = positive_pairs(items, captions, allow_unmatched)
    values = pair_values(similarity, rows, columns)
    by_item = sorted_thresholds(rows, values, len(items), len(captions))
    by_caption = sorted_thresholds(columns, values, len(captions), len(items))
    if not allow_unmatched:
        refuse_uncaptioned(items, by_item.number > 0)
    item_counts, caption_counts = count_candidates(
        similarity, by_item, by_caption, threads=threads or default_threads()
    )
    first_item = np.full(len(captions), -1)
    first_item[columns[::-1]] = rows[::-1]  # the first one named is written last
    return RetrievalRanks(
        t2v=direction_ranks(by_caption, caption_counts, names, [items[row] for row in first_item]),
        v2t=direction_ranks(by_item, item_counts, items, items),
    )


def direction_ranks(
    thresholds: Thresholds, counts: Counts, query_ids: list, clusters: list
) -> DirectionRanks:
    """Ranks of the queries of one direction that have a positive; ids and items by query."""
    number = thresholds.number
    asked = np.flatnonzero(number > 0)
    first = thresholds.start[:-1][asked]
    positives_above, positives_equal = among_positives(thresholds)
    precision = _precision_at_positives(
        counts.above, counts.equal, positives_above, positives_equal
    )
    return DirectionRanks(
        query_ids=object_array([query_ids[query] for query in asked]),
        clusters=object_array([clusters[query] for query in asked]),
        better=counts.above[first],
        tied_negatives=(counts.equal - positives_equal)[first],
        tied_positives=positives_equal[first],
        n_positives=number[asked],
        n_candidates=np.full(len(asked), thresholds.n_candidates),
        average_precision=np.add.reduceat(precision, first) / number[asked],
    )


def among_positives(thresholds: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """Positives of the same query strictly above and exactly at each positive, [P] each."""
    query = np.repeat(np.arange(len(thresholds.number)), thresholds.number)
    value = thresholds.value
    new = np.ones(len(value), np.bool_)
    new[1:] = (query[1:] != query[:-1]) | (value[1:] != value[:-1])
    start = np.flatnonzero(new)
    length = np.diff(start, append=len(value))
    return (
        np.repeat(start, length) - thresholds.start[query],
        np.repeat(length, length),
    )


def _precision_at_positives(
    above: np.ndarray, equal: np.ndarray, positives_above: np.ndarray, positives_equal: np.ndarray
) -> np.ndarray:
    """Expected precision at the rank of each positive, [P].

    A positive of a tied group that starts after ``c`` candidates and holds n, r of them positives,
    is equally likely at every place j of the group; on average (j - c - 1)(r - 1)/(n - 1) of the
    places before j within the group are positives too. Summed over j that is a harmonic number and
    a constant.
    """
    share = (positives_equal - 1.0) / np.maximum(equal - 1.0, 1.0)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, (above + equal).max() + 1))])
    reciprocals = np.where(
        equal == 1, 1.0 / (above + 1.0), harmonic[above + equal] - harmonic[above]
    )
    return ((positives_above + 1.0 - (above + 1.0) * share) * reciprocals) / equal + share


def positive_pairs(
    items: list, captions: list, allow_unmatched: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of all positives, by column, in the order that a caption names items."""
    row_of = {item: row for row, item in enumerate(items)}
    if len(row_of) < len(items):
        twice = next(item for row, item in enumerate(items) if row_of[item] != row)
        raise DataError(f"item_ids: {twice!r} occurs more than once; each item is one row")
    try:  # the usual case, one known item a caption, without a look at each
        return np.array([row_of[named] for named in captions]), np.arange(len(captions))
    except (KeyError, TypeError):  # an unknown item, or a collection (which is not hashable)
        pass
    rows, columns = [], []
    for column, named in enumerate(captions):
        if isinstance(named, (list, tuple, set, frozenset, np.ndarray)):
            own = dict.fromkeys(row_of.get(item, -1) for item in _listed(named))
            found = sorted(own) if isinstance(named, (set, frozenset)) else list(own)
        else:
            found = [row_of.get(named, -1)]
        matched = [row for row in found if row >= 0]
        if not allow_unmatched and (len(matched) < len(found) or not found):
            raise DataError(
                f"caption {column} (counted from 0) belongs to {named!r}, which is not among the "
                f"{len(items)} item_ids; leave it out of the matrix or pass allow_unmatched=True"
            )
        rows += matched
        columns += [column] * len(matched)
    if not rows:
        raise DataError("no caption belongs to any item of item_ids: nothing can be ranked")
    return np.array(rows), np.array(columns)


def refuse_uncaptioned(items: list, has_caption: np.ndarray) -> None:
    """Raise DataError if an item, as a query, has no right answer."""
    if not has_caption.all():
        first = items[int(np.argmin(has_caption))]
        raise DataError(
            f"item {first!r} has no caption ({np.sum(~has_caption)} such items); leave them out "
            "of the matrix or pass allow_unmatched=True"
        )


def check_shapes(shape: tuple[int, ...], items: list, captions: list, names: list) -> None:
    """Raise DataError unless a matrix of ``shape`` has a row an item and a column a caption."""
    expected = (len(items), len(captions))
    if shape != expected or 0 in expected:
        turned = " (is it captions x items? transpose it)" if shape == expected[::-1] else ""
        raise DataError(
            f"similarity has shape {shape}, expected items x captions = {expected} from item_ids "
            f"and caption_item_ids, at least one of each{turned}"
        )
    if len(names) != len(captions):
        raise DataError(f"caption_ids holds {len(names)} ids for {len(captions)} captions")


def _listed(ids: Iterable[Any]) -> list:
    return ids.tolist() if isinstance(ids, np.ndarray) or is_tensor(ids) else list(ids)
