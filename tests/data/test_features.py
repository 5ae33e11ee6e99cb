"""Feature stores: what is written is read, in any order and block; bad stores are named."""

from __future__ import annotations

import pickle
import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import features
from polymatch.data.features import FeatureStore, FeatureWriter, write_features
from polymatch.errors import DataError

ABOUT = {
    "encoder": "e",
    "revision": "1",
    "preprocessing": "none",
    "dataset": "emoji",
    "command": "test",
}
RNG = np.random.default_rng(0)


def ids(n):
    return [f"id-{i}-é" for i in range(n)]


def test_round_trip(tmp_path):
    array = RNG.normal(size=(7, 5)).astype(np.float32)
    write_features(tmp_path / "a.h5", ids(7), array, attributes=ABOUT)
    store = FeatureStore(tmp_path / "a.h5")
    assert store.ids == ids(7) and len(store) == 7 and store.dim == 5 and not store.ragged
    assert store.attributes == {**ABOUT, "dtype": "float32"}
    assert np.array_equal(store.read(), array) and np.array_equal(store.read(2, 4), array[2:4])
    store.check(dataset="emoji", ids=ids(7)[::-1])
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_regions_keep_their_shape(tmp_path):
    array = RNG.normal(size=(4, 6, 5)).astype(np.float32)
    write_features(tmp_path / "r.h5", ids(4), array, attributes=ABOUT)
    store = FeatureStore(tmp_path / "r.h5")
    assert store.shape == (6, 5) and store.dim == 5
    assert np.array_equal(store.gather(["id-3-é", "id-0-é"]), array[[3, 0]])


def test_half_precision_is_read_as_float32(tmp_path):
    array = RNG.normal(size=(4, 5)).astype(np.float32)
    write_features(tmp_path / "h.h5", ids(4), array, attributes=ABOUT, dtype="float16")
    store = FeatureStore(tmp_path / "h.h5")
    assert store.read().dtype == np.float32
    assert np.array_equal(store.read(), array.astype(np.float16).astype(np.float32))
    with pytest.raises(DataError, match=r"'id-1-é'"):  # 1e6 is infinite in half precision
        write_features(tmp_path / "i.h5", ids(2), [[1.0], [1e6]], attributes=ABOUT, dtype="float16")


@settings(max_examples=40, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(1, 4), min_size=1, max_size=60))
def test_gathering_in_any_order(tmp_path_factory, data, lengths):
    """Small blocks and runs, so that every branch of the block reading is passed."""
    path = tmp_path_factory.mktemp("s") / "s.h5"
    offsets = np.cumsum([0, *lengths])
    rows = RNG.normal(size=(offsets[-1], 3)).astype(np.float32)
    names = ids(len(lengths))
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=80))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_BLOCK_BYTES", 200)
        patch.setattr(features, "_NEAR_ROWS", 2)
        write_features(path, names, rows, offsets=offsets, attributes=ABOUT)
        ragged = FeatureStore(path)
        got, got_lengths = ragged.gather_ragged([names[i] for i in chosen])
        ragged.check("emoji", names)
        write_features(path, names, rows[: len(names)], attributes=ABOUT)
        flat = FeatureStore(path).gather([names[i] for i in chosen])
    expected = [rows[offsets[i] : offsets[i + 1]] for i in chosen]
    assert got_lengths.tolist() == [len(one) for one in expected]
    assert np.array_equal(got, np.concatenate([np.empty((0, 3), np.float32), *expected]))
    assert np.array_equal(flat, rows[chosen])


def test_ragged_in_blocks(tmp_path):
    with FeatureWriter(tmp_path / "f.h5", 2, ABOUT, ragged=True) as writer:
        writer.append(["a", "b"], [[1, 1], [2, 2], [3, 3]], [1, 2])
        writer.append(["c"], [[4, 4]], [1])
    store = FeatureStore(tmp_path / "f.h5")
    assert store.ragged and store.offsets.tolist() == [0, 1, 3, 4] and len(store) == 3
    rows, lengths = store.read_ragged(1, 3)
    assert rows[:, 0].tolist() == [2, 3, 4] and lengths.tolist() == [2, 1]
    with pytest.raises(DataError, match="items have several rows each; use gather_ragged"):
        store.gather(["a"])


def test_the_last_item_of_a_ragged_store_can_grow(tmp_path):
    rows = RNG.normal(size=(9, 5)).astype(np.float32)
    with FeatureWriter(tmp_path / "a.h5", 5, ABOUT, ragged=True) as writer:
        writer.append(ids(2), rows[:3], [1, 2])
        writer.extend(rows[3:6])
        writer.extend(rows[6:7])
        writer.append(["last"], rows[7:], [2])
    store = FeatureStore(tmp_path / "a.h5")
    assert store.offsets.tolist() == [0, 1, 7, 9] and store.ids == [*ids(2), "last"]
    assert np.array_equal(store.read_ragged()[0], rows)


def test_rows_that_cannot_follow_are_named(tmp_path):
    path = tmp_path / "a.h5"
    told = f"{path}: rows of shape {{}} cannot follow; in a ragged store rows of shape (5,) can, "
    for ragged, appended, width in ((True, True, 4), (True, False, 5), (False, True, 5)):
        with pytest.raises(DataError) as caught, FeatureWriter(path, 5, ABOUT, ragged) as writer:
            if appended:
                writer.append(ids(1), np.ones((1, 5)), [1] if ragged else None)
            writer.extend(np.ones((2, width)))
        assert str(caught.value) == told.format((width,)) + "after an item"
    with (
        pytest.raises(DataError, match=r"hold NaN or infinity, the first is 'id-0-é'"),
        FeatureWriter(path, 5, ABOUT, ragged=True) as writer,
    ):
        writer.append(ids(1), np.ones((1, 5)), [1])
        writer.extend(np.full((1, 5), np.nan))
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError), FeatureWriter(tmp_path / "f.h5", 2, ABOUT) as writer:
        writer.append(["a"], [[1, 1]])
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "block", "message"),
    [
        (["a", "b", "a"], np.ones((3, 2)), "id 'a' occurs twice"),
        (["a", "b"], [[1, 1], [1, np.nan]], r"1 id\(s\) hold NaN or infinity, the first is 'b'"),
        (["a", "b"], [[np.inf, 1], [1, np.nan]], r"2 id\(s\) hold .* the first is 'a'"),
        (["a", "b"], np.ones((2, 3)), r"id 'a' on has shape \(2, 3\), not \(2, 2\)"),
    ],
)
def test_bad_blocks_are_named(tmp_path, names, block, message):
    with (
        pytest.raises(DataError, match=message),
        FeatureWriter(tmp_path / "f.h5", 2, ABOUT) as writer,
    ):
        writer.append(names, block)
    assert not list(tmp_path.iterdir())


def test_bad_arguments_are_named(tmp_path):
    path = tmp_path / "f.h5"
    with pytest.raises(DataError, match="needs the attributes revision, command"):
        FeatureWriter(path, 2, {"encoder": "e", "preprocessing": "", "dataset": "d"})
    with pytest.raises(DataError, match="dtype 'int8' is not float32, float16 or int32"):
        FeatureWriter(path, 2, ABOUT, dtype="int8")
    with pytest.raises(DataError, match="3 ids do not fit an array of shape"):
        write_features(path, ids(3), np.ones((2, 2)), attributes=ABOUT)
    with pytest.raises(DataError, match="with 3 offsets"):
        write_features(path, ids(2), np.ones((4, 2)), offsets=[0, 1, 3], attributes=ABOUT)
    with (
        pytest.raises(DataError, match="id 'b' has no rows"),
        FeatureWriter(path, 2, ABOUT, ragged=True) as writer,
    ):
        writer.append(["a", "b"], np.ones((1, 2)), [1, 0])
    with (
        pytest.raises(DataError, match="ragged=True needs lengths"),
        FeatureWriter(path, 2, ABOUT, ragged=True) as writer,
    ):
        writer.append(["a"], np.ones((1, 2)))


@pytest.fixture
def store(tmp_path):
    write_features(tmp_path / "s.h5", ids(5), np.ones((5, 4)), attributes=ABOUT)
    return FeatureStore(tmp_path / "s.h5")


def test_features_of_another_data_set(store):
    with pytest.raises(DataError, match=r"features of data set 'emoji', not of 'coco'; delete"):
        store.check(dataset="coco")


def test_ids_without_features(store):
    with pytest.raises(DataError, match=r"2 of 3 ids have no features, e.g. 'x', 'y'"):
        store.check(ids=["x", "id-0-é", "y"])
    with pytest.raises(DataError, match=r"1 of 1 ids have no features"):
        store.gather(["x"])


def test_nan_that_came_later(store):
    with h5py.File(store.path, "r+") as file:
        file["features"][3, 1] = np.nan
    with pytest.raises(DataError, match=r"features of 'id-3-é' \(row 4\) hold NaN"):
        store.check()


def test_nan_in_a_ragged_store_names_the_item(tmp_path):
    write_features(tmp_path / "r.h5", ids(2), np.ones((5, 4)), offsets=[0, 2, 5], attributes=ABOUT)
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        file["features"][2, 1] = np.inf
    with pytest.raises(DataError, match=r"features of 'id-1-é' \(row 3\)"):
        FeatureStore(tmp_path / "r.h5").check()


def test_truncated_missing_and_foreign_files(store, tmp_path):
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"s.h5: not a whole feature store .*delete the file and"):
        FeatureStore(store.path).check()
    store.path.write_text("hello")
    with pytest.raises(DataError, match=r"s.h5: not a whole feature store"):
        len(FeatureStore(store.path))
    with pytest.raises(DataError, match=r"gone.h5: no such file; run the stage"):
        FeatureStore(tmp_path / "gone.h5").check()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = [1, 2]
    with pytest.raises(DataError, match=r"other.h5: not a whole feature store"):
        FeatureStore(tmp_path / "other.h5").read()


def test_ids_and_rows_that_do_not_fit(store):
    with h5py.File(store.path, "r+") as file:
        file["ids"].resize(3, axis=0)
    with pytest.raises(DataError, match="3 ids, 5 rows"):
        len(FeatureStore(store.path))


def test_a_store_can_be_sent_to_a_worker(store):
    assert len(store) == 5
    assert np.array_equal(pickle.loads(pickle.dumps(store)).read(), store.read())


def test_an_array_is_converted_in_bounded_memory(tmp_path):
    """A memory map of 400 MB (a hole in the file, so cheap to make) passes in small blocks."""
    array = np.lib.format.open_memmap(
        tmp_path / "large.npy", mode="w+", dtype=np.float32, shape=(50_000, 2048)
    )
    names = list(map(str, range(50_000)))
    tracemalloc.start()
    try:
        write_features(tmp_path / "l.h5", names, array, attributes=ABOUT, dtype="float16")
        FeatureStore(tmp_path / "l.h5").check(ids=names)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20
