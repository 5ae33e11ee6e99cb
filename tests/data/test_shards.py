"""Stores of shares put together: what would have been written at once, or the reason why not."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data import FeatureStore, FeatureWriter, write_features
from polymatch.data.shards import gather_features, shard_of
from polymatch.errors import ConfigError, DataError

ABOUT = {
    "encoder": "e",
    "revision": "1",
    "preprocessing": "none",
    "dataset": "few",
    "command": "test",
}


def write(path, ids, ragged=False, dtype="float32", width=3, **attributes):
    random = np.random.default_rng(0)
    lengths = random.integers(1, 4, 100)
    rows = random.standard_normal((lengths.sum() if ragged else 100, width)).astype(np.float32)
    bounds = np.concatenate([[0], np.cumsum(lengths)]) if ragged else np.arange(101)
    numbers = [int(item_id) for item_id in ids]
    with FeatureWriter(path, width, {**ABOUT, **attributes}, ragged, dtype) as writer:
        if ids:
            block = np.concatenate([rows[bounds[n] : bounds[n + 1]] for n in numbers])
            writer.append(ids, block, lengths[numbers].tolist() if ragged else None)
    return path


def contents(path):
    with h5py.File(path) as file:
        held = {name: file[name][:].tolist() for name in file}
        return held, dict(file.attrs), file["features"].dtype, file["features"].chunks


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("block", [1, 40, 1 << 26])
def test_shares_together_are_the_whole(tmp_path, monkeypatch, ragged, dtype, block):
    monkeypatch.setattr("polymatch.data.shards._BLOCK_BYTES", block)
    ids = [str(number) for number in range(23)]
    parts = [
        write(tmp_path / f"{shard}.h5", ids[shard_of(23, shard, 4)], ragged, dtype)
        for shard in range(4)
    ]
    parts.insert(2, write(tmp_path / "empty.h5", [], ragged, dtype))
    gather_features(parts, tmp_path / "all.h5")
    whole = write(tmp_path / "whole.h5", ids, ragged, dtype)
    assert contents(tmp_path / "all.h5") == contents(whole)
    FeatureStore(tmp_path / "all.h5").check("few", ids)


def test_what_is_counted_is_added(tmp_path):
    parts = [write(tmp_path / f"{n}.h5", [str(n)], silent=n) for n in range(3)]
    gather_features(parts, tmp_path / "all.h5")
    assert FeatureStore(tmp_path / "all.h5").attributes["silent"] == 3


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"encoder": "f"}, "2.h5: encoder is 'f', in .*1.h5 it is 'e'; delete both and run"),
        ({"leaves_out": "some"}, "2.h5: leaves_out is 'some', in .*1.h5 it is None"),
        ({"silent": 4}, "2.h5: silent is True, in .*1.h5 it is False"),
        ({"dtype": "float16"}, "2.h5: dtype is 'float16', in .* it is 'float32'"),
        ({"width": 4}, r"2.h5: shape of an item is \(4,\), in .* it is \(3,\)"),
        ({"ragged": True}, "2.h5: several rows an item is True, in .* it is False"),
    ],
)
def test_stores_of_something_else_are_refused(tmp_path, how, message):
    parts = [write(tmp_path / "1.h5", ["1"]), write(tmp_path / "2.h5", ["2"], **how)]
    with pytest.raises(DataError, match=message):
        gather_features(parts, tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


def test_ids_in_two_shares_are_refused(tmp_path):
    parts = [write(tmp_path / "1.h5", ["1", "2"]), write(tmp_path / "2.h5", ["3", "2"])]
    with pytest.raises(DataError, match=r"2.h5: id '2' is in .*1.h5 too; delete both"):
        gather_features(parts, tmp_path / "all.h5")


def test_nothing_to_gather(tmp_path):
    with pytest.raises(ConfigError, match=r"all.h5: no stores to gather; name at least one"):
        gather_features([], tmp_path / "all.h5")
    parts = [write(tmp_path / f"{n}.h5", []) for n in range(2)]
    with pytest.raises(DataError, match=r"all.h5: not one item in 2 stores; see what was left"):
        gather_features(parts, tmp_path / "all.h5")
    with pytest.raises(DataError, match=r"gone.h5: no such file; run the stage that writes it"):
        gather_features([tmp_path / "gone.h5"], tmp_path / "all.h5")


def test_regions_are_gathered_too(tmp_path):
    rows = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    for n in range(2):
        part = slice(2 * n, 2 * n + 2)
        write_features(tmp_path / f"{n}.h5", list("abcd")[part], rows[part], attributes=ABOUT)
    gather_features([tmp_path / "0.h5", tmp_path / "1.h5"], tmp_path / "all.h5")
    assert np.array_equal(FeatureStore(tmp_path / "all.h5").read(), rows)


@given(items=st.integers(1, 500), shards=st.integers(1, 40))
def test_shares_are_all_of_it_in_order_and_nearly_equal(items, shards):
    if shards > items:
        with pytest.raises(ConfigError, match=f"encoder.shards: {shards} shards of {items} items"):
            shard_of(items, 0, shards, "encoder.shards", "items")
        return
    parts = [range(items)[shard_of(items, shard, shards)] for shard in range(shards)]
    assert [number for part in parts for number in part] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
