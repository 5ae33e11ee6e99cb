"""Shards: what they read, that together they are the whole, and what does not fit together."""

import re

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.features import FeatureStore
from polymatch.data.shards import shard_of
from polymatch.errors import ConfigError, DataError
from polymatch.training import shards
from polymatch.training.shards import gather_scores

from ..stored_sets import tables


@given(st.integers(1, 500), st.integers(1, 500))
def test_shards_hold_every_item_once_and_in_order(items, number):
    if number > items:
        with pytest.raises(ConfigError, match=f"scoring.shards: {number} shards of {items} test"):
            shard_of(items, 0, number)
        return
    parts = [range(items)[shard_of(items, shard, number)] for shard in range(number)]
    assert [row for part in parts for row in part] == list(range(items))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1 and min(sizes) > 0


def test_shards_are_the_split_without_the_others_features(tmp_path):
    reader, _ = tables(tmp_path, items=20, captions=50, widths=(3, 4))
    whole = reader.retrieval_set("train", ["name"])
    cuts = [shard_of(len(whole.item_ids), shard, 3) for shard in range(3)]
    parts = [reader.retrieval_set("train", ["name"], cut) for cut in cuts]
    np.testing.assert_array_equal(np.concatenate([part.items for part in parts]), whole.items)
    assert [item for part in parts for item in part.item_ids] == whole.item_ids
    for part in parts:
        np.testing.assert_array_equal(part.captions, whole.captions)
    matches = [
        (part.item_ids[item], query) for part in parts for item, query in part.matches().tolist()
    ]
    assert sorted(matches) == sorted(
        (whole.item_ids[item], query) for item, query in whole.matches().tolist()
    )


def test_a_shard_reads_its_own_items_alone(tmp_path):
    reader, _ = tables(tmp_path, items=20, captions=50, widths=(3, 4))
    expected = reader.retrieval_set("train", ["name"], slice(4, 8))
    others = [
        row
        for row, item in enumerate(FeatureStore(reader.item_store).ids)
        if item not in expected.item_ids
    ]
    with h5py.File(reader.item_store, "r+") as file:
        for row in others:
            file["features"][row] = np.nan  # which nothing that is read may be
    found = reader.retrieval_set("train", ["name"], slice(4, 8))
    np.testing.assert_array_equal(found.items, expected.items)
    with pytest.raises(DataError, match="NaN"):
        reader.retrieval_set("train", ["name"], slice(0, 4))


@pytest.mark.parametrize("block", [1, 100, 10**9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_shards_are_the_whole_again(tmp_path, monkeypatch, block, dtype):
    monkeypatch.setattr(shards, "_BLOCK_BYTES", block)
    whole = np.random.default_rng(0).normal(size=(11, 5)).astype(dtype)
    paths = written(tmp_path, [whole[shard_of(11, shard, 4)] for shard in range(4)])
    gather_scores(paths, tmp_path / "out.npy")
    found = np.load(tmp_path / "out.npy")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, whole)


def written(folder, parts):
    paths = [folder / f"{number}.npy" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        np.save(path, part)
    return paths


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(2, 5), (4, 5)],
            "0.npy: has shape (2, 5) of float64, expected (3, 5) of float64 as shard 1 of 2; "
            "delete the shards and score again",
        ),
        ([(3, 5), (3, 4)], "1.npy: has shape (3, 4) of float64, expected (3, 5) of float64 as"),
    ],
)
def test_shards_that_do_not_fit_together_are_refused(tmp_path, shapes, message):
    paths = written(tmp_path, [np.zeros(shape) for shape in shapes])
    with pytest.raises(DataError, match=re.escape(message)):
        gather_scores(paths, tmp_path / "out.npy")


def test_a_truncated_or_missing_shard_is_named(tmp_path):
    paths = written(tmp_path, [np.zeros((3, 5)), np.zeros((3, 5))])
    paths[1].write_bytes(paths[1].read_bytes()[:-8])
    with pytest.raises(DataError, match=re.escape(f"{paths[1]}: not a whole shard of a sim")):
        gather_scores(paths, tmp_path / "out.npy")
    paths[1].unlink()
    with pytest.raises(DataError, match=re.escape(f"{paths[1]}: not a whole shard of a sim")):
        gather_scores(paths, tmp_path / "out.npy")
