"""Orders of candidates against an ordinary sort, for every way in which values crowd together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from polymatch.evaluation.ordering import ordered

RANDOM = np.random.default_rng(0)


def check(values):
    found = ordered(values)
    sorted_values = np.take_along_axis(values, found.order, axis=1)
    np.testing.assert_array_equal(sorted_values, -np.sort(-values, axis=1))
    every = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    np.testing.assert_array_equal(np.sort(found.order, axis=1), every)
    runs, tied = [], []
    for row, line in enumerate(sorted_values.tolist()):
        first = 0
        for place in range(1, len(line) + 1):
            if place == len(line) or line[place] != line[first]:
                if place - first > 1:
                    runs.append((row * len(line) + first, place - first))
                    tied += range(row * len(line) + first, row * len(line) + place)
                first = place
    assert list(zip(found.run_start.tolist(), found.run_size.tolist(), strict=True)) == runs
    assert found.tied().tolist() == tied
    of_first, size = found.runs_of(np.arange(values.size))
    np.testing.assert_array_equal(np.flatnonzero(size > 1), tied)
    starts = dict(runs)
    for position in tied:
        start = position - position % values.shape[1] + of_first[position]
        assert starts[start] == size[position] and start <= position < start + size[position]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 2, 100, 1000, 8193])
@pytest.mark.parametrize(
    "draw",
    [
        lambda shape: RANDOM.standard_normal(shape),
        lambda shape: RANDOM.integers(0, 4, shape),
        lambda shape: np.zeros(shape),
        lambda shape: 1 / (1 + np.exp(6 - 4 * RANDOM.standard_normal(shape))),
        lambda shape: -(10.0 ** RANDOM.uniform(-30, 0, shape)),
        lambda shape: np.where(RANDOM.random(shape) < 0.8, 0, 10.0 ** RANDOM.uniform(-9, 0, shape)),
        lambda shape: 1 + 1e-15 * RANDOM.integers(0, 500, shape),
        lambda shape: RANDOM.choice([0.0, -0.0, 1.0], shape),
    ],
    ids=["spread", "levels", "constant", "sigmoid", "below", "zeros", "close", "signed zeros"],
)
def test_it_is_the_order_of_a_sort(draw, width, dtype):
    check(np.asarray(draw((3, width)), dtype))


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(1, 3), st.integers(1, 12)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_the_whole_range_of_numbers_is_ordered(values):
    check(values)


def test_a_row_of_any_layout_is_ordered():
    values = RANDOM.standard_normal((50, 40))
    np.testing.assert_array_equal(ordered(values.T).order, ordered(values.T.copy()).order)
