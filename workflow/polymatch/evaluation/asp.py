"""Average semantic precision: does the whole ranking follow how much candidates have in common?

Of one query it is the mean, over all candidates, of ``min(r, s) / max(r, s)``, r being a
candidate's rank by similarity and s its rank by semantic similarity, both from 1 (Li et al., "A
differentiable semantic metric approximation in probabilistic embedding for cross-modal retrieval",
NeurIPS 2022, section 3.2).

Decisions: ties of either side are broken at random in expectation, independently of each other.
The published code leaves them to a sort that is not stable, so that the many candidates of semantic
similarity zero stand in an order of no meaning, which is not even the same everywhere. With H(n)
the n-th harmonic number, the sum of min / max over all ranks up to A on one side and B >= A on the
other is

    F(A, B) = A (A + 1) / 2 * (1 + H(B) - H(A)),

so that the mean over two tied groups takes four of these (good to 1e-8), and where one of them is a
single candidate, two sums along a line. The zeros of a semantic similarity are one tied group;
where they are most of a row only the others are ranked, and all zeros together are the whole line
less what the others take.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.blocks import map_queries, query_rows, refuse_number
from polymatch.evaluation.counting import Similarity, default_threads, is_tensor
from polymatch.evaluation.ordering import Ordered, ordered

Semantic: TypeAlias = Any  # a matrix as similarities are, or one of scipy.sparse

_NAME = "the semantic similarity"
_MOSTLY_ZERO = 0.5  # share of zeros from which only the other candidates are ranked


def average_semantic_precision(
    similarity: Similarity, semantic: Semantic, *, threads: int | None = None
) -> tuple[float, float]:
    """Mean over queries of both directions, in percent.

    Args:
        similarity: items x captions, [N, M], larger is better; NumPy or torch.
        semantic: semantic similarity of the same pairs, [N, M]; NumPy, torch or a sparse matrix of
            scipy, whose entries that are not stored are zero.
        threads: CPU threads; torch's number where torch is loaded, else all, if not given.

    Returns:
        (v2t, t2v): of the items as queries and of the captions.

    Raises:
        DataError: the two matrices differ in shape, or there is nothing in them.
        NumericsError: a value is NaN or infinite.

    >>> average_semantic_precision(np.array([[0.9, 0.5, 0.1]]), np.array([[0.7, 0.2, 0.3]]))
    (77.77777777777777, 100.0)
    """
    v2t, t2v = semantic_precision_per_query(similarity, semantic, threads=threads)
    return float(v2t.mean()), float(t2v.mean())


def semantic_precision_per_query(
    similarity: Similarity, semantic: Semantic, *, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The same for every query: percentages of the items [N] and of the captions [M].

    Arguments and errors are those of :func:`average_semantic_precision`.
    """
    if not is_tensor(similarity):
        similarity = np.asarray(similarity)
    if not (is_tensor(semantic) or hasattr(semantic, "tocsr")):
        semantic = np.asarray(semantic)
    shape = tuple(similarity.shape)
    if shape != tuple(semantic.shape) or len(shape) != 2 or 0 in shape:
        raise DataError(
            f"similarity has shape {shape} and the semantic similarity {tuple(semantic.shape)}; "
            "both are items x captions, at least one of each"
        )
    n_threads = threads or default_threads()
    of_items = direction_precision(similarity, semantic, True, n_threads)
    return of_items, direction_precision(similarity, semantic, False, n_threads)


def direction_precision(
    similarity: Similarity, semantic: Semantic, of_items: bool, threads: int
) -> np.ndarray:
    """The same of the items (``of_items``) or of the captions alone, which need not be all."""
    n_queries, n_candidates = similarity.shape if of_items else similarity.shape[::-1]
    harmonic = np.zeros(n_candidates + 1)
    np.cumsum(1.0 / np.arange(1, len(harmonic)), out=harmonic[1:])
    if hasattr(semantic, "tocsr"):
        semantic = (semantic if of_items else semantic.T).tocsr()
    block = partial(_block, similarity, semantic, of_items, harmonic)
    return map_queries(block, n_queries, n_candidates, threads)


def _block(
    similarity: Similarity,
    semantic: Any,
    of_items: bool,
    harmonic: np.ndarray,
    first: int,
    last: int,
) -> np.ndarray:
    scores = query_rows(similarity, first, last, of_items=of_items)
    found = np.empty(len(scores))
    for rows, listed in _listed(semantic, first, last, of_items):
        found[rows] = _precision(scores[rows], listed, harmonic)
    return found


class _Listed:
    """Candidates of B queries that are ranked by semantic similarity; the others are zero.

    ``value`` [B, K]; ``candidate`` [B, K], or None where all are ranked, in their order;
    ``number`` [B] of the K are candidates, the rest fills up the row.
    """

    def __init__(self, value: np.ndarray, candidate: np.ndarray | None, number: np.ndarray) -> None:
        self.value, self.candidate, self.number = value, candidate, number

    @classmethod
    def of_nonzero(cls, number: np.ndarray, candidate: np.ndarray, value: np.ndarray) -> _Listed:
        """From the candidates [P] and values [P] above zero, query after query."""
        widest = max(int(number.max()), 1)
        place = np.arange(widest)
        stored = place < number[:, None]
        # What fills up a row comes after all others and ties with nothing.
        filled = np.empty(stored.shape, value.dtype)
        filled[:] = -(place + 1) * (value.max(initial=0.0) / widest)
        filled[stored] = value
        of = np.zeros(stored.shape, np.intp)
        of[stored] = candidate
        return cls(filled, of, number)


def _listed(semantic: Any, first: int, last: int, of_items: bool) -> Iterator[tuple[Any, _Listed]]:
    """Which of the queries first..last (a slice or their numbers), and what is ranked for them.

    How a query is taken is decided by its own row, so that its figure is the same to the bit in
    whatever company it is computed.
    """
    if hasattr(semantic, "tocsr"):
        part = semantic[first:last]
        part.sum_duplicates()
        part.eliminate_zeros()
        number = np.diff(part.indptr)
        few = number < (1 - _MOSTLY_ZERO) * part.shape[1]
        _refuse_non_finite(part, first, of_items)
        odd = np.flatnonzero(part.data < 0)
        few[np.searchsorted(part.indptr, odd, side="right") - 1] = False
        for rows in _one_kind(few, True):
            chosen = part[rows]
            yield rows, _Listed.of_nonzero(number[rows], chosen.indices, chosen.data)
        for rows in _one_kind(few, False):
            block = part[rows].toarray()
            yield rows, _Listed(block, None, np.full(len(block), block.shape[1]))
        return
    block = query_rows(semantic, first, last, of_items=of_items, name=_NAME)
    above = block > 0
    number = np.count_nonzero(above, axis=1)
    few = (number < (1 - _MOSTLY_ZERO) * block.shape[1]) & (block.min(axis=1) >= 0)
    for rows in _one_kind(few, True):
        of, candidates = np.nonzero(above[rows])
        yield rows, _Listed.of_nonzero(number[rows], candidates, block[rows][of, candidates])
    for rows in _one_kind(few, False):
        yield rows, _Listed(block[rows], None, np.full(len(block[rows]), block.shape[1]))


def _refuse_non_finite(part: Any, first: int, of_items: bool) -> None:
    bad = np.flatnonzero(~np.isfinite(part.data))
    if len(bad):
        query = first + int(np.searchsorted(part.indptr, bad[0], side="right")) - 1
        candidate = int(part.indices[bad[0]])
        refuse_number(_NAME, *((query, candidate) if of_items else (candidate, query)))


def _one_kind(few: np.ndarray, wanted: bool) -> list[Any]:
    """The rows of which this is so, once: a slice if it is so of all; none if of none."""
    if (few == wanted).all():
        return [slice(None)]
    rows = np.flatnonzero(few == wanted)
    return [rows] if len(rows) else []


def _precision(scores: np.ndarray, listed: _Listed, harmonic: np.ndarray) -> np.ndarray:
    """Percentages [B] of queries with similarities ``scores`` [B, M]."""
    width = scores.shape[1]
    by_score, by_meaning = ordered(scores), ordered(listed.value)
    candidate = by_meaning.order
    if listed.candidate is not None:
        candidate = np.take_along_axis(listed.candidate, candidate, axis=1)
    score_rank = _ranks(by_score, candidate)
    tied_score = np.flatnonzero(score_rank < 0)
    np.abs(score_rank, out=score_rank)
    depth = candidate.shape[1]
    meaning_rank = np.arange(1, depth + 1, dtype=np.float32)
    ratio = np.minimum(score_rank, meaning_rank, dtype=np.float64)
    ratio /= np.maximum(score_rank, meaning_rank)
    flat_ratio, flat_rank = ratio.reshape(-1), score_rank.reshape(-1)
    if len(by_meaning.run_start):
        tied, size = by_meaning.tied(), by_meaning.run_size
        first = np.repeat(by_meaning.run_start % depth, size)
        rank = flat_rank[tied].astype(np.intp)
        flat_ratio[tied] = _along(rank, first, np.repeat(size, size), harmonic)
    by_row = tied_score // depth * width + flat_rank[tied_score].astype(np.intp) - 1
    group = by_score.runs_of(by_row)
    flat_ratio[tied_score] = _expected(*group, *by_meaning.runs_of(tied_score), harmonic)
    if listed.candidate is None:
        return 100.0 * _sum(ratio) / width
    number = listed.number.astype(np.intp)
    zeros = np.maximum(width - number, 1)
    rank = score_rank.astype(np.intp)
    taken = _along(rank, number[:, None], zeros[:, None], harmonic)
    row = tied_score // depth
    taken.reshape(-1)[tied_score] = _expected(*group, number[row], zeros[row], harmonic)
    taken[number == width] = 0.0
    ratio -= taken
    ratio[np.arange(depth) >= number[:, None]] = 0.0
    everything = np.full(len(number), width)
    line = _corner(everything, everything, harmonic) - _corner(everything, number, harmonic)
    return 100.0 * (_sum(ratio) + line / zeros) / width


def _sum(ratio: np.ndarray) -> np.ndarray:
    """Sums [B] of rows of shares, as whole numbers of a unit that 63 bits have room for.

    Whole numbers add up to the same in any order: that of tied candidates is the sort's.
    """
    unit = 2.0 ** (np.ceil(np.log2(ratio.shape[1] + 1)) - 62)
    return np.rint(ratio / unit).astype(np.int64).sum(axis=1) * unit


def _ranks(found: Ordered, candidate: np.ndarray) -> np.ndarray:
    """Rank [B, K] of each row's candidates, float32 (exact to 2^24); below zero in a tie."""
    n_rows, width = found.order.shape
    signed = np.tile(np.arange(1, width + 1, dtype=np.float32), (n_rows, 1))
    signed.reshape(-1)[found.tied()] *= -1
    base = np.arange(0, signed.size, width)[:, None]
    rank = np.empty(signed.size, np.float32)
    rank[found.order + base] = signed
    return rank.take(candidate + base)


def _expected(
    first_a: np.ndarray,
    size_a: np.ndarray,
    first_b: np.ndarray,
    size_b: np.ndarray,
    harmonic: np.ndarray,
) -> np.ndarray:
    """Mean of min / max over the ranks of two tied groups, which start after ``first`` others."""
    alone_a, alone_b = size_a == 1, size_b == 1
    mean = np.empty(len(size_a))
    some = np.flatnonzero(alone_a)
    mean[some] = _along(first_a[some] + 1, first_b[some], size_b[some], harmonic)
    some = np.flatnonzero(~alone_a & alone_b)
    mean[some] = _along(first_b[some] + 1, first_a[some], size_a[some], harmonic)
    some = np.flatnonzero(~alone_a & ~alone_b)
    low_a, low_b = first_a[some], first_b[some]
    high_a, high_b = low_a + size_a[some], low_b + size_b[some]
    both = _corner(high_a, high_b, harmonic) - _corner(low_a, high_b, harmonic)
    both -= _corner(high_a, low_b, harmonic) - _corner(low_a, low_b, harmonic)
    mean[some] = both / (size_a[some] * size_b[some])
    return mean


def _corner(a: np.ndarray, b: np.ndarray, harmonic: np.ndarray) -> np.ndarray:
    """F of the module's docstring, for a and b in either order."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    return low * (low + 1.0) / 2.0 * (1.0 + harmonic[high] - harmonic[low])


def _along(
    rank: np.ndarray, first: np.ndarray, size: np.ndarray, harmonic: np.ndarray
) -> np.ndarray:
    """Mean of min / max of one rank with those of a tied group."""

    def up_to(last: np.ndarray) -> np.ndarray:
        beyond = (rank + 1.0) / 2.0 + rank * (harmonic[last] - harmonic[rank])
        return np.where(last <= rank, last * (last + 1.0) / (2.0 * rank), beyond)

    return (up_to(first + size) - up_to(first)) / size
