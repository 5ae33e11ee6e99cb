"""Candidates of many queries from the best to the worst, and where their order is a tie.

NumPy's stable sort of 16-bit integers counts digits, in a time that does not grow with the number
of candidates, and three to ten times faster than its sort of floats. Similarities are first cut
into 2^16 equal steps between a row's extremes and sorted by them; the few neighbours of one step
are then put right by their true values. Where many share a step, as scores crowded at zero and ties
do, all bits are sorted instead, 16 at a time from the lowest (Knuth, "The art of computer
programming", volume 3, section 5.2.5): a float's bits, with some of them turned around, are an
integer that falls as the number grows. Either way the order is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DIGIT_BITS = 16
_CROWDED = 0.15  # share of neighbours in one step from which all bits are sorted
_ROUNDS = 8  # of putting neighbours right, before all bits are sorted after all


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
    values = np.ascontiguousarray(values)
    width = values.shape[1]
    base = np.arange(0, values.size, width)[:, None]
    steps = _steps(values)
    order = np.argsort(steps, axis=1, kind="stable")
    order += base
    close = _neighbours(steps.reshape(-1).take(order))
    if len(close) > _CROWDED * values.size or not _put_right(values, order, close):
        words = _falling_words(values)
        order = _order_of_all_bits(words, base)
        equal = _neighbours(words.reshape(-1).take(order))
    else:
        equal = close[_value(values, order, close) == _value(values, order, close + 1)]
    order -= base
    starts = np.flatnonzero(np.diff(equal, prepend=-2) != 1)
    return Ordered(order, equal[starts], np.diff(starts, append=len(equal)) + 1)


def _steps(values: np.ndarray) -> np.ndarray:
    """Step of each value below the best of its row, uint16: the last step is the row's worst."""
    best = values.max(axis=1, keepdims=True)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (2**_DIGIT_BITS - 1) / (best - values.min(axis=1, keepdims=True))
        # A row of one value has no steps; one of too wide a range for its type has one.
        scale = np.minimum(scale, np.finfo(values.dtype).max)
        below = np.subtract(best, values)
        below *= scale.astype(values.dtype)
    below[scale[:, 0] == 0] = 0
    return below.astype(np.uint16)


def _neighbours(in_order: np.ndarray) -> np.ndarray:
    """Flat positions of a block whose next one, in the same row, is equal."""
    flat = in_order.reshape(-1)
    equal = np.flatnonzero(flat[1:] == flat[:-1])
    return equal[(equal + 1) % in_order.shape[1] != 0]


def _value(values: np.ndarray, order: np.ndarray, position: np.ndarray) -> np.ndarray:
    return values.reshape(-1).take(order.reshape(-1).take(position))


def _put_right(values: np.ndarray, order: np.ndarray, close: np.ndarray) -> bool:
    """Exchange neighbours until each pair is in order; False if that takes too many rounds."""
    places = order.reshape(-1)
    halves = close[close % 2 == 0], close[close % 2 == 1]  # no position is in two pairs of a half
    for _ in range(_ROUNDS):
        moved = 0
        for half in halves:
            wrong = half[_value(values, order, half) < _value(values, order, half + 1)]
            places[wrong], places[wrong + 1] = places[wrong + 1], places[wrong]
            moved += len(wrong)
        if not moved:
            return True
    return False


def _order_of_all_bits(words: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Flat index of the candidate at each place, [B, M], by unsigned integers that ascend."""
    order: np.ndarray | None = None
    for shift in range(0, 8 * words.itemsize, _DIGIT_BITS):
        digit = (words >> words.dtype.type(shift)).astype(np.uint16)
        if (digit == digit[0, 0]).all():
            continue  # float64 that was float32, whole numbers: nothing to sort by
        if order is not None:
            digit = digit.reshape(-1).take(order)
        step = np.argsort(digit, axis=1, kind="stable")
        step += base
        order = step if order is None else order.reshape(-1).take(step)
    return base + np.arange(words.shape[1]) if order is None else order


def _falling_words(values: np.ndarray) -> np.ndarray:
    """Unsigned integers of the same size that are smaller the larger the number is."""
    signed = np.int32 if values.dtype == np.float32 else np.int64
    bits = (values + values.dtype.type(0)).view(signed)  # -0.0 becomes 0.0
    # Bits of negative numbers grow as these fall, and their sign bit puts them last.
    bits ^= ~(bits >> (8 * bits.itemsize - 1)) & np.iinfo(signed).max
    return bits.view(np.uint32 if signed is np.int32 else np.uint64)
