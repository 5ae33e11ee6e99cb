"""Count, in one pass, how many candidates beat and how many equal each positive.

A positive's place needs two numbers: the candidates with a larger similarity and those with an
equal one. Both are counted for rows (item queries) and columns (caption queries) of the similarity
matrix while a block of it is in the cache; nothing is sorted and no boolean matrix of its size
exists.

Decisions: comparisons are NumPy's, whose float loops are vectorised and release the interpreter, so
that threads share the rows. Along rows their bytes of 0 and 1 are added as eight lanes of one
64-bit word, along columns as bytes: exact while at most 255 are added, and several times faster
than a typed boolean sum.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

from polymatch.errors import DataError, NumericsError

if TYPE_CHECKING:
    import torch

Similarity: TypeAlias = "np.ndarray | torch.Tensor"

# A block and its comparison bytes should stay in cache; measured best near 3 MB of float32.
_BLOCK_ELEMENTS = 800_000
_LANE_WORDS = 120  # not a power of two: rows a multiple of 4096 bytes apart share cache sets
_BYTES_A_WORD = 8
_MOST_ADDITIONS = 255
_BLOCK_COLUMNS = 34 * _LANE_WORDS * _BYTES_A_WORD
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)


@dataclass(frozen=True)
class Thresholds:
    """Similarities of the positives of every query of one direction, largest first.

    ``start`` [Q + 1] delimits each query's part of ``value`` [P]; ``n_candidates`` are ranked.
    """

    start: np.ndarray
    value: np.ndarray
    n_candidates: int

    @property
    def number(self) -> np.ndarray:
        """Positives of each query, [Q]."""
        return np.diff(self.start)


@dataclass(frozen=True)
class Counts:
    """Candidates strictly above and exactly at each positive (itself included), int64 [P] each."""

    above: np.ndarray
    equal: np.ndarray


def sorted_thresholds(
    query: np.ndarray, value: np.ndarray, n_queries: int, n_candidates: int
) -> Thresholds:
    """Group positives [P] by their ``query`` (0..n_queries-1), the largest ``value`` first."""
    order = np.lexsort((-value, query))
    start = np.zeros(n_queries + 1, np.int64)
    np.cumsum(np.bincount(query, minlength=n_queries), out=start[1:])
    return Thresholds(start, value[order], n_candidates)


def is_tensor(value: object) -> TypeGuard[torch.Tensor]:
    """Whether ``value`` is a torch tensor, without importing torch: that takes seconds, and there
    is no tensor where nobody has imported it."""
    loaded = sys.modules.get("torch")
    return loaded is not None and isinstance(value, loaded.Tensor)


def default_threads() -> int:
    """Torch's number of threads where torch is in use, else that of the cores."""
    loaded = sys.modules.get("torch")
    return (os.cpu_count() or 1) if loaded is None else int(loaded.get_num_threads())


def pair_values(similarity: Similarity, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Similarities [P] at (rows, columns), in the float type in which blocks are compared."""
    if is_tensor(similarity):
        import torch

        index = (
            torch.from_numpy(rows).to(similarity.device),
            torch.from_numpy(columns).to(similarity.device),
        )
        return comparable(similarity.detach()[index])
    return comparable(similarity[rows, columns])


def count_candidates(
    similarity: Similarity,
    by_row: Thresholds,
    by_column: Thresholds,
    *,
    threads: int,
    block_elements: int = _BLOCK_ELEMENTS,
) -> tuple[Counts, Counts]:
    """Count for every positive of both directions in one pass over ``similarity`` [N, M].

    Returns:
        Counts of the rows' positives (among M columns) and of the columns' (among N rows).

    Raises:
        NumericsError: a similarity is NaN or infinite; says how many and where the first is.
    """
    transposed = _is_column_major(similarity)
    if transposed:  # a block of rows should be one stretch of memory
        similarity, by_row, by_column = similarity.T, by_column, by_row
    n_rows = similarity.shape[0]
    parts = min(max(threads, 1), n_rows)
    bounds = [n_rows * part // parts for part in range(parts + 1)]
    workers = [
        _Part(similarity, by_row, by_column, first, last, block_elements, transposed)
        for first, last in pairwise(bounds)
    ]
    if parts == 1:
        workers[0].run()
    else:
        with ThreadPoolExecutor(parts) as pool:
            for done in [pool.submit(worker.run) for worker in workers]:
                done.result()
    _refuse_non_finite(workers)
    row_counts = np.concatenate([worker.row_counts for worker in workers], axis=1)
    column_counts = sum((worker.column_counts for worker in workers[1:]), workers[0].column_counts)
    first, second = _counts(row_counts), _counts(column_counts)
    return (second, first) if transposed else (first, second)


class _Part:
    """The share of one thread: rows first..last of the matrix, with buffers of its own."""

    def __init__(
        self,
        similarity: Similarity,
        by_row: Thresholds,
        by_column: Thresholds,
        first: int,
        last: int,
        block_elements: int,
        transposed: bool,
    ) -> None:
        self.similarity, self.by_row, self.by_column = similarity, by_row, by_column
        self.first, self.last, self.transposed = first, last, transposed
        n_columns = similarity.shape[1]
        self.width = min(n_columns, _BLOCK_COLUMNS)
        self.height = min(max(block_elements // self.width, 1), _MOST_ADDITIONS, last - first)
        self.best_of_row = _best(by_row)
        self.best_of_column = _best(by_column)
        # First axis of all counts: strictly above, above or equal.
        self.row_counts = np.zeros((2, by_row.start[last] - by_row.start[first]), np.int64)
        self.column_counts = np.zeros((2, len(by_column.value)), np.int64)
        self.best_column_counts = np.zeros((2, n_columns), np.int64)
        words = -(-self.width // _BYTES_A_WORD)
        self.additions = -(-words // _LANE_WORDS)
        self.flags = np.zeros(
            (2, self.height, self.additions * _LANE_WORDS * _BYTES_A_WORD), np.bool_
        )
        self.n_bad = 0
        self.first_bad: tuple[int, int] | None = None  # item, caption

    def run(self) -> None:
        n_columns = self.similarity.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):
            for left in range(0, n_columns, self.width):
                right = min(left + self.width, n_columns)
                self.flags[:] = False  # a narrower last block must not count the one before
                for top in range(self.first, self.last, self.height):
                    bottom = min(top + self.height, self.last)
                    block = comparable(self.similarity[top:bottom, left:right])
                    self._look_for_bad(block, top, left)
                    self._count_rows(block, top, bottom)
                    self._count_columns(block, left, right)
        has = self.by_column.number > 0
        self.column_counts[:, self.by_column.start[:-1][has]] = self.best_column_counts[:, has]

    def _count_rows(self, block: np.ndarray, top: int, bottom: int) -> None:
        start = self.by_row.start[top:bottom]
        number = self.by_row.start[top + 1 : bottom + 1] - start
        for level in range(int(number.max(initial=0))):
            chosen = np.flatnonzero(number > level)
            pair = start[chosen] + level
            part = block if len(chosen) == len(block) else block[chosen]
            counts = self._row_sums(part, self.by_row.value[pair][:, None])
            self.row_counts[:, pair - self.by_row.start[self.first]] += counts

    def _count_columns(self, block: np.ndarray, left: int, right: int) -> None:
        if not len(self.by_column.value):
            return  # only the rows are queries
        self.best_column_counts[:, left:right] += self._column_sums(
            block, self.best_of_column[left:right]
        )
        start = self.by_column.start[left:right]
        number = self.by_column.start[left + 1 : right + 1] - start
        for level in range(1, int(number.max(initial=0))):
            chosen = np.flatnonzero(number > level)
            pair = start[chosen] + level
            part = block if len(chosen) == block.shape[1] else block[:, chosen]
            self.column_counts[:, pair] += self._column_sums(part, self.by_column.value[pair])

    def _row_sums(self, block: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        height = len(block)
        self._compare(block, threshold)
        lanes = np.add.reduce(
            self.flags.view(np.uint64)[:, :height].reshape(2, height, self.additions, _LANE_WORDS),
            axis=2,
        )
        pairs = (lanes & _EVEN_BYTES) + ((lanes >> np.uint64(8)) & _EVEN_BYTES)
        return np.add.reduce(pairs.view(np.uint16), axis=2, dtype=np.int64)

    def _column_sums(self, block: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        flags = self._compare(block, threshold)
        return np.add.reduce(flags.view(np.uint8), axis=1, dtype=np.uint8)

    def _compare(self, block: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        flags = self.flags[:, : block.shape[0], : block.shape[1]]
        np.greater(block, threshold, out=flags[0])
        np.greater_equal(block, threshold, out=flags[1])
        return flags

    def _look_for_bad(self, block: np.ndarray, top: int, left: int) -> None:
        # The sums are finite unless an entry is not, or finite ones overflow: then look closely.
        if np.isfinite(np.add.reduce(block, axis=0)).all():
            return
        bad = np.argwhere(~np.isfinite(block))
        if len(bad) == 0:
            return
        self.n_bad += len(bad)
        items, captions = (left, top) if self.transposed else (top, left)
        if self.transposed:
            bad = bad[:, ::-1]
        item = bad[:, 0].min()
        caption = bad[bad[:, 0] == item, 1].min()
        first = (items + int(item), captions + int(caption))
        self.first_bad = min(self.first_bad or first, first)


def _best(thresholds: Thresholds) -> np.ndarray:
    best = np.full(len(thresholds.start) - 1, np.inf, thresholds.value.dtype)
    has = thresholds.number > 0
    best[has] = thresholds.value[thresholds.start[:-1][has]]
    return best


def _counts(counts: np.ndarray) -> Counts:
    return Counts(above=counts[0], equal=counts[1] - counts[0])


def _is_column_major(similarity: Any) -> bool:
    strides = similarity.stride() if is_tensor(similarity) else similarity.strides
    return bool(strides[0] < strides[1])


def comparable(block: Any) -> np.ndarray:
    """NumPy float32 or float64 of a block; narrower floats widen without loss."""
    if is_tensor(block):
        import torch

        block = block.detach().cpu()
        if block.dtype not in (torch.float32, torch.float64):
            block = block.to(torch.float32 if block.is_floating_point() else torch.float64)
        return block.numpy()
    if block.dtype == np.float32 or block.dtype == np.float64:
        return np.asarray(block)
    if block.dtype.kind == "f" and block.dtype.itemsize <= 4:
        return block.astype(np.float32)
    if block.dtype.kind in "fiu":
        return block.astype(np.float64)
    raise DataError(f"similarity holds {block.dtype}, expected real numbers (float32 or float64)")


def _refuse_non_finite(workers: list[_Part]) -> None:
    n_bad = sum(worker.n_bad for worker in workers)
    if not n_bad:
        return
    item, caption = min(worker.first_bad for worker in workers if worker.first_bad is not None)
    raise NumericsError(
        f"similarity holds {n_bad} NaN or infinite values, the first at item {item}, caption "
        f"{caption} (counted from 0); look for a division by zero or an overflow in the model"
    )
