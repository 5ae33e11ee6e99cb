"""Frames: what is taken is filled up with NaN, by NumPy and by torch, from memory and from disk."""

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.features import write_features
from polymatch.data.frames import Frames, FrameStore
from polymatch.data.words import open_store
from polymatch.errors import DataError

from ..stored_sets import ATTRIBUTES

COUNTS = [3, 1, 2, 4]
ROWS = np.arange(30, dtype=np.float32).reshape(10, 3)
OFFSETS = np.array([0, 3, 4, 6, 10])


def slow(items):
    """One item after the other, filled up by hand."""
    own = [ROWS[OFFSETS[item] : OFFSETS[item + 1]] for item in items]
    padded = np.full((len(own), max(map(len, own), default=0), 3), np.nan, dtype=np.float32)
    for place, frames in enumerate(own):
        padded[place, : len(frames)] = frames
    return padded


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "frames.h5"
    ids = [f"i{item}" for item in range(4)]
    write_features(path, ids, ROWS, offsets=OFFSETS, attributes=ATTRIBUTES)
    return open_store(path)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), max_size=9))
def test_frames_of_any_items_in_any_order(store, items):
    items = np.array(items, dtype=np.int64)
    here = Frames(ROWS, OFFSETS)
    np.testing.assert_array_equal(here[items], slow(items))
    there = here.to("cpu")[torch.from_numpy(items)]
    assert there.dtype == torch.float32
    np.testing.assert_array_equal(there.numpy(), slow(items))
    taken = store.take(items)
    np.testing.assert_array_equal(taken[np.arange(len(items))], slow(items))
    assert store.numbers_of(items) == taken.rows.size


def test_what_frames_say_of_themselves(store):
    frames = store.take(np.arange(4))
    assert isinstance(store, FrameStore) and store.shape == (3,)
    assert len(frames) == 4 and frames.shape == (4, 3)
    assert frames.lengths.tolist() == COUNTS
    np.testing.assert_array_equal(frames[1:3], slow([1, 2]))
    # A model that overlooks what is no frame gives no answer at all.
    assert np.isnan(frames[np.array([0, 3])].sum(axis=(1, 2))).tolist() == [True, False]


def test_a_nan_frame_is_refused(tmp_path):
    path = tmp_path / "frames.h5"
    write_features(path, ["a", "b"], ROWS[:4], offsets=[0, 3, 4], attributes=ATTRIBUTES)
    with h5py.File(path, "r+") as file:
        file["features"][3, 1] = np.nan
    with pytest.raises(DataError, match=r"features of 'b' \(row 4\) hold NaN"):
        FrameStore(path).take(np.array([0, 1]))
