"""Candidates of many queries from the best to the worst, and where their order is a tie.

One sort of packed words does it: the upper bits of a word are a similarity, coarsely, the lower
ones the candidate. NumPy sorts plain integers with vector instructions, two to three times faster
than it finds a sorting order, and threads share the rows. Neighbours of one coarse value are then
compared by their true similarities and put right, so that the order is exact for every input.

Decisions: a similarity is first cut into equal steps between the row's extremes, steps of its
logarithm or nearly so where all are positive, as a sigmoid's (32-bit words). That tells nearly all
candidates apart; where it does not, it is the leading bits of the number itself (64-bit words), and
at last an ordinary sort of the row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SHORT_INDEX = 13  # bits: up to 8192 candidates leave 19 bits of similarity in a 32-bit word
_STEP_BITS = 20  # rounding in float32 must not reach the next power of two
_ROUNDS = 12  # of putting neighbours right before the row is sorted afresh
_CROWDED = 0.05  # share of neighbours in the wrong order from which longer words pay


@dataclass(frozen=True)
class Ordered:
    """Candidates of B queries, best first.

    Attributes:
        order: the candidate at each place, [B, M], intp.
        run_start: flat position (row * M + place) at which each run of equal similarities starts,
            [T], ascending; runs of one are not among them.
        run_size: number of candidates in each of these runs, [T].
    """

    order: np.ndarray
    run_start: np.ndarray
    run_size: np.ndarray

    def tied(self) -> np.ndarray:
        """Flat positions that are part of a run, [P], run after run and so ascending."""
        before = np.cumsum(self.run_size) - self.run_size
        return np.repeat(self.run_start - before, self.run_size) + np.arange(self.run_size.sum())

    def runs_of(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place at which the run of each flat position starts and its size, [P] both.

        A candidate that ties with none is a run of one.
        """
        place = position % self.order.shape[1]
        if not len(self.run_start):
            return place, np.ones_like(place)
        run = np.maximum(np.searchsorted(self.run_start, position, side="right") - 1, 0)
        into = position - self.run_start[run]
        tied = (into >= 0) & (into < self.run_size[run])
        return np.where(tied, place - into, place), np.where(tied, self.run_size[run], 1)


def ordered(values: np.ndarray) -> Ordered:
    """Order each row of ``values`` [B, M], float32 or float64 and finite, the largest first.

    >>> found = ordered(np.array([[1.0, 3.0, 1.0]]))
    >>> found.order, found.run_start, found.run_size
    (array([[1, 0, 2]]), array([1]), array([2]))
    """
    width = values.shape[1]
    index_bits = max(int(width - 1).bit_length(), 1)
    values = np.ascontiguousarray(values)
    flat = values.reshape(-1)
    crowded = index_bits > _SHORT_INDEX
    if not crowded:
        order, close = _sorted(_short_words(values, index_bits), index_bits)
        falling = _value(flat, order, close) < _value(flat, order, close + 1)
        crowded = int(falling.sum()) > _CROWDED * flat.size
    if crowded:
        order, close = _sorted(_long_words(values, index_bits), index_bits)
    unsorted = _put_right(flat, order, close)
    if len(unsorted):
        order[unsorted] = np.argsort(-values[unsorted], axis=1)
        order[unsorted] += unsorted[:, None] * width
        within = unsorted[:, None] * width + np.arange(width - 1)
        left = np.isin(close // width, unsorted, invert=True)
        close = np.sort(np.concatenate([close[left], within.reshape(-1)]))
    equal = close[_value(flat, order, close) == _value(flat, order, close + 1)]
    order -= np.arange(0, flat.size, width)[:, None]
    starts = np.flatnonzero(np.diff(equal, prepend=-2) != 1)
    return Ordered(order, equal[starts], np.diff(starts, append=len(equal)) + 1)


def _short_words(values: np.ndarray, index_bits: int) -> np.ndarray:
    """Words of the similarity in equal steps below the row's best, and the candidate."""
    if values.min() > 0.0:
        # The bits of positive numbers ascend as they do, with steps that widen with the number.
        with np.errstate(over="ignore"):
            values = values.astype(np.float32).view(np.int32).astype(np.float64)
    best = values.max(axis=1, keepdims=True)
    steps = min(32 - index_bits, _STEP_BITS)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (2**steps - 1) / (best - values.min(axis=1, keepdims=True))
        # A row of one value has no steps; one of too wide a range for its type has one.
        scale = np.minimum(scale, np.finfo(values.dtype).max).astype(values.dtype)
        below = np.subtract(best, values)
        below *= scale
    below[scale[:, 0] == 0] = 0
    words = below.astype(np.uint32)
    words <<= np.uint32(index_bits)
    words |= np.arange(values.shape[1], dtype=np.uint32)
    return words


def _long_words(values: np.ndarray, index_bits: int) -> np.ndarray:
    """Words of the similarity's own leading bits, in an order that falls, and the candidate."""
    bits = (values.astype(np.float64) + 0.0).view(np.int64)  # the sum makes -0.0 the usual zero
    # Negative numbers have the sign bit and grow downwards; the others are turned around.
    bits ^= ~(bits >> 63) & np.int64(2**63 - 1)
    words = bits.view(np.uint64)
    words &= ~np.uint64((1 << index_bits) - 1)
    words |= np.arange(values.shape[1], dtype=np.uint64)
    return words


def _sorted(words: np.ndarray, index_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat index of the candidate at each place, and the places whose next one has its value."""
    width = words.shape[1]
    words.sort(axis=1)
    mask = words.dtype.type((1 << index_bits) - 1)
    flat = words.reshape(-1)
    close = np.flatnonzero((flat[1:] ^ flat[:-1]) <= mask)
    close = close[(close + 1) % width != 0]
    words &= mask
    order = words.astype(np.intp)
    order += np.arange(0, flat.size, width)[:, None]
    return order, close


def _value(flat: np.ndarray, order: np.ndarray, place: np.ndarray) -> np.ndarray:
    return flat.take(order.reshape(-1).take(place))


def _put_right(flat: np.ndarray, order: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Exchange close neighbours until all are in order; the rows where that takes too long."""
    width, places = order.shape[1], order.reshape(-1)
    halves = [close[close % 2 == 0], close[close % 2 == 1]]
    for turn in range(_ROUNDS):
        moved = 0
        for half in halves:
            wrong = half[_value(flat, order, half) < _value(flat, order, half + 1)]
            places[wrong], places[wrong + 1] = places[wrong + 1], places[wrong]
            moved += len(wrong)
        if turn and not moved:
            return np.empty(0, np.intp)
    wrong = close[_value(flat, order, close) < _value(flat, order, close + 1)]
    return np.flatnonzero(np.bincount(wrong // width))
