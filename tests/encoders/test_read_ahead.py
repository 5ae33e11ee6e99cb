"""Reading ahead: in order, bounded in bytes, errors in their place, for any sizes and readers."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.encoders.read_ahead import read_ahead

SIZES = st.lists(st.integers(0, 50), max_size=40)


@settings(max_examples=50)
@given(sizes=SIZES, readers=st.integers(1, 5), most=st.integers(1, 120))
def test_order_is_kept_whatever_the_bound(sizes, readers, most):
    rows = list(enumerate(sizes))
    got = list(read_ahead(lambda row: row, rows, lambda row: row[1], readers, most))
    assert got == rows


@pytest.mark.parametrize("readers", [1, 3])
def test_no_more_is_held_than_said(readers):
    lock, held, most = threading.Lock(), [0, 0], 50

    def read(size):
        with lock:
            held[0] += size
            held[1] = max(held)
        return size

    for size in read_ahead(read, [10] * 60, lambda size: size, readers, most):
        time.sleep(0.002)  # the readers would run away
        with lock:
            held[0] -= size
    # and the one whose turn it is, and one that each reader holds itself
    assert most - 10 <= held[1] <= most + 10 + 10 * readers


def test_readers_work_side_by_side():
    together = threading.Barrier(3, timeout=10)
    assert list(read_ahead(lambda row: together.wait() >= 0, range(6), int, 3, 100)) == [True] * 6


def test_an_error_comes_in_its_turn():
    def read(row):
        if row == 3:
            raise ValueError("three")
        return row

    got = []
    with pytest.raises(ValueError, match="three"):
        for row in read_ahead(read, range(9), lambda row: 1, 2, 4):
            got.append(row)
    assert got == [0, 1, 2]


def test_nobody_waits_for_ever_when_nobody_asks_any_more():
    reading = read_ahead(lambda row: row, range(50), lambda row: 10, 4, 10)
    assert next(reading) == 0
    before = threading.active_count()
    reading.close()
    assert threading.active_count() < before
