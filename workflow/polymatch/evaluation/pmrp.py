"""Plausible-match R-precision: does a query find what shows the same categories of things?

An item carries a code, a 0 or 1 for each category; a caption that of its item. A candidate matches
a query if their codes differ in at most 0, 1 or 2 places (Hamming distance). R-precision is the
share of matches among the first R candidates, R being the number of matches; the figure is the mean
over queries and the three thresholds (Chun et al., "Probabilistic embeddings for cross-modal
retrieval", CVPR 2021, section 4.1.1).

Decisions: an item without any category is left out with its captions, as a query and as a candidate
(as published); ties are broken at random in expectation, so that of a tied group that place R falls
into, every member takes part with the same share. Everything is counted along one sorted order of
each query's candidates, in blocks of queries: no list of all candidates of all queries exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.blocks import map_queries, query_rows
from polymatch.evaluation.counting import Similarity, default_threads, is_tensor
from polymatch.evaluation.ordering import Ordered, ordered

THRESHOLDS = (0, 1, 2)

_ROWS = 512  # items whose distances to all others are computed together


def pmrp(
    similarity: Similarity,
    category_codes: np.ndarray,
    caption_item_index: Sequence[int] | np.ndarray,
    *,
    threads: int | None = None,
) -> dict[str, float]:
    """Plausible-match R-precision of both directions, in percent.

    Args:
        similarity: items x captions, [N, M], larger is better; NumPy or torch.
        category_codes: [N, C] of 0 and 1, which categories each item has.
        caption_item_index: [M], the row of each caption's item.
        threads: CPU threads; torch's number where torch is loaded, else all, if not given.

    Returns:
        ``v2t`` and ``t2v``, the mean over thresholds and queries; ``v2t_0``, ``v2t_1``, ``v2t_2``
        and the same for ``t2v``, of one threshold.

    Raises:
        DataError: shapes contradict each other, a code is neither 0 nor 1, or no item has a
            category.
        NumericsError: a similarity is NaN or infinite.

    >>> pmrp(np.array([[0.9, 0.5], [0.2, 0.1]]), np.eye(2), [0, 1])["t2v_0"]
    50.0
    """
    found = pmrp_per_query(similarity, category_codes, caption_item_index, threads=threads)
    return {name: float(np.nanmean(each)) for name, each in found.items()}


def pmrp_per_query(
    similarity: Similarity,
    category_codes: np.ndarray,
    caption_item_index: Sequence[int] | np.ndarray,
    *,
    threads: int | None = None,
) -> dict[str, np.ndarray]:
    """The same for every query, [N] under ``v2t...`` and [M] under ``t2v...``, NaN if left out.

    So is an item that nothing matches, which only one without captions can be.

    Arguments and errors are those of :func:`pmrp`.
    """
    if not is_tensor(similarity):
        similarity = np.asarray(similarity)
    codes, item_of = np.asarray(category_codes), np.asarray(caption_item_index)
    _check(tuple(similarity.shape), codes, item_of)
    has_any = codes.sum(axis=1) > 0
    kept_items, kept_captions = np.flatnonzero(has_any), np.flatnonzero(has_any[item_of])
    refuse_uncategorised(codes, item_of)
    distance = _distances(codes, np.arange(len(codes)))
    n_threads = threads or default_threads()
    found: dict[str, np.ndarray] = {}
    for direction in ("v2t", "t2v"):
        of_items = direction == "v2t"
        of_query = np.arange(len(codes)) if of_items else item_of
        candidates = kept_captions if of_items else kept_items
        of_candidate = item_of[candidates] if of_items else candidates
        figures = _figures(
            similarity, of_items, candidates, of_candidate, distance, of_query, has_any, n_threads
        )
        found |= {f"{direction}{name}": each for name, each in figures.items()}
    return found


def direction_pmrp(
    scores: np.ndarray,
    of_items: bool,
    codes: np.ndarray,
    item_of: np.ndarray,
    queries: slice,
    threads: int,
) -> dict[str, np.ndarray]:
    """The same of some queries of one direction, under ``pmrp``, ``pmrp_0`` and so on.

    Args:
        scores: what these queries are scored by: some rows of the matrix, or (not ``of_items``)
            some columns.
        codes: [N, C], of all items.
        item_of: [M], of all captions.
        queries: which rows or columns these are.
    """
    has_any = codes.sum(axis=1) > 0
    candidates = np.flatnonzero(has_any[item_of] if of_items else has_any)
    of_candidate = item_of[candidates] if of_items else candidates
    items = (np.arange(len(codes)) if of_items else item_of)[queries]
    # Of these items alone: those of all items may be 10 GB.
    own, of_query = np.unique(items, return_inverse=True)
    found = _figures(
        scores,
        of_items,
        candidates,
        of_candidate,
        _distances(codes, own),
        of_query,
        has_any[own],
        threads,
    )
    return {f"pmrp{name}": each for name, each in found.items()}


def _figures(
    similarity: Similarity,
    of_items: bool,
    candidates: np.ndarray,
    of_candidate: np.ndarray,
    distance: np.ndarray,
    of_query: np.ndarray,
    has_any: np.ndarray,
    threads: int,
) -> dict[str, np.ndarray]:
    """Percentages [Q] under the threshold's name, ``""`` for their mean.

    ``distance`` [U, N] and ``has_any`` [U] are of the queries' items, which ``of_query`` [Q] names.
    """
    n_queries, n_candidates = similarity.shape if of_items else similarity.shape[::-1]
    chosen = candidates if len(candidates) < n_candidates else None
    block = partial(_block, similarity, of_items, chosen, of_candidate, distance, of_query)
    shares = map_queries(block, n_queries, n_candidates, threads)
    asked = has_any[of_query]
    figures = np.full_like(shares, np.nan)
    figures[:, asked] = 100.0 * shares[:, asked]
    single = {f"_{at}": each for at, each in zip(THRESHOLDS, figures, strict=True)}
    return {"": figures.mean(axis=0), **single}


def _block(
    similarity: Similarity,
    of_items: bool,
    chosen: np.ndarray | None,
    of_candidate: np.ndarray,
    distance: np.ndarray,
    of_query: np.ndarray,
    first: int,
    last: int,
) -> np.ndarray:
    scores = query_rows(similarity, first, last, of_items=of_items)
    scores = scores if chosen is None else scores[:, chosen]
    return _precision(ordered(scores), distance[of_query[first:last]], of_candidate)


def _precision(by_score: Ordered, distance: np.ndarray, of_candidate: np.ndarray) -> np.ndarray:
    """R-precision [thresholds, B] of queries whose items are ``distance`` [B, N] from the others.

    ``of_candidate`` [M] is the item of each candidate.
    """
    n_rows, width = by_score.order.shape
    base = np.arange(0, distance.size, distance.shape[1])[:, None]
    in_order = distance.reshape(-1).take(of_candidate.take(by_score.order) + base).reshape(-1)
    # Flat positions of the matches; those of a smaller threshold are among them.
    match = np.flatnonzero(in_order <= THRESHOLDS[-1])
    apart = in_order[match]
    line = np.arange(n_rows + 1) * width
    run_row = by_score.run_start // width
    shares = np.empty((len(THRESHOLDS), n_rows))
    for threshold, share in zip(THRESHOLDS, shares, strict=True):
        position = match[apart <= threshold]
        start = np.searchsorted(position, line)
        number = np.diff(start)
        last = line[:-1] + number  # the flat position at which the first R places end
        hits = (np.searchsorted(position, last) - start[:-1]).astype(np.float64)
        # One tied group at most goes across that end.
        first, end = by_score.run_start, by_score.run_start + by_score.run_size
        cut = np.flatnonzero((first < last[run_row]) & (last[run_row] < end))
        row, first, end = run_row[cut], first[cut], end[cut]
        before = np.searchsorted(position, first)
        within = np.searchsorted(position, end) - before
        hits[row] = before - start[row] + (last[row] - first) * within / (end - first)
        share[:] = np.where(number > 0, hits / np.maximum(number, 1), np.nan)
    return shares


def _distances(codes: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Hamming distances of the items ``of`` [U] from all, [U, N], cut after the thresholds."""
    codes = codes.astype(np.float32)  # sums of 0 and 1 are exact
    number = codes.sum(axis=1)
    distance = np.empty((len(of), len(codes)), np.uint8)
    for first in range(0, len(of), _ROWS):
        rows = of[first : first + _ROWS]
        apart = number[rows, None] + number - 2.0 * (codes[rows] @ codes.T)
        distance[first : first + _ROWS] = np.minimum(apart, THRESHOLDS[-1] + 1)
    return distance


def refuse_uncategorised(codes: np.ndarray, item_of: np.ndarray) -> None:
    """Raise DataError if no item has a category and a caption."""
    if not (codes.sum(axis=1) > 0)[item_of].any():
        raise DataError(
            f"none of the {len(codes)} items has a category and a caption, so that PMRP has no "
            "query; check that the categories are those of this data set's items"
        )


def _check(shape: tuple[int, ...], codes: np.ndarray, item_of: np.ndarray) -> None:
    if codes.ndim != 2 or item_of.ndim != 1 or shape != (len(codes), len(item_of)):
        raise DataError(
            f"similarity has shape {shape}, category_codes {codes.shape} and caption_item_index "
            f"{item_of.shape}; expected items x captions, items x categories and captions"
        )
    if not ((codes == 0) | (codes == 1)).all():
        item = int(np.argmin(((codes == 0) | (codes == 1)).all(axis=1)))
        raise DataError(f"category_codes: row {item} (counted from 0) holds other than 0 and 1")
    if item_of.dtype.kind not in "iu" or ((item_of < 0) | (item_of >= len(codes))).any():
        raise DataError(
            f"caption_item_index holds other than rows of the {len(codes)} items (from 0 to "
            f"{len(codes) - 1}); every caption has one item"
        )
