"""``feat`` of the published layout, read as the published loader reads it."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.features import write_features
from polymatch.sources.published_regions import write_published

from .precomp_examples import ABOUT, PER_IMAGE, SPLITS, data, imported, regions, write_all


def loaded(folder, split, captions):
    """What their ``__getitem__`` reads for each caption: image i // 5 of train, row i of others."""
    divisor = 5 if split == "train" else 1
    images = h5py.File(f"{folder}/{split}.h5", "r")
    rows = [images["feat"][index // divisor] for index in range(captions)]
    images.close()
    return np.stack(rows)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_the_published_loader_reads_every_split(tmp_path, monkeypatch, moved, linked):
    """Also where the folder was moved as a whole, or the files are linked beside the captions."""
    imported(data(write_all(tmp_path / "in")), tmp_path / "features")
    folder = tmp_path / "features"
    if moved:
        (tmp_path / "elsewhere").mkdir()
        folder = folder.rename(tmp_path / "elsewhere/features")
    published = folder / "published"
    if linked:
        for name in SPLITS:
            (tmp_path / "in" / f"{name}.h5").symlink_to(published / f"{name}.h5")
        published = tmp_path / "in"
    monkeypatch.chdir(os.sep)
    for name, (images, _) in SPLITS.items():
        expected = regions(name, images).repeat(PER_IMAGE, 0)
        assert np.array_equal(loaded(published, name, images * PER_IMAGE), expected)


def test_it_holds_nothing_itself_and_what_was_left_out_is_nan(tmp_path):
    write_all(tmp_path / "in")
    array = np.load(tmp_path / "in/test_ims.npy")
    array[5:10] = np.inf
    np.save(tmp_path / "in/test_ims.npy", array)
    imported(data(tmp_path / "in", on_bad_item="skip"), tmp_path / "out")
    found = loaded(tmp_path / "out/published", "test", 20)
    assert np.isnan(found[5:10]).all()
    kept = np.r_[0:5, 10:20]
    assert np.array_equal(found[kept], regions("test", 4).repeat(5, 0)[kept])
    (tmp_path / "out/regions.h5").unlink()
    assert np.isnan(loaded(tmp_path / "out/published", "test", 20)).all()


@given(
    rows=st.lists(st.integers(-1, 6), min_size=1, max_size=12),
    repeats=st.integers(1, 3),
)
@settings(max_examples=80)
def test_any_rows_in_any_order_are_shown_as_often_as_asked(tmp_path_factory, rows, repeats):
    folder = tmp_path_factory.mktemp("shown")
    held = np.arange(7 * 6, dtype=np.float32).reshape(7, 2, 3)
    write_features(
        folder / "s.h5",
        [str(row) for row in range(7)],
        held,
        attributes={**ABOUT, "revision": "1", "preprocessing": "none"},
    )
    write_published(folder / "p" / "x.h5", folder / "s.h5", np.array(rows), repeats)
    expected = np.stack([held[row] if row >= 0 else np.full((2, 3), np.nan) for row in rows])
    with h5py.File(folder / "p" / "x.h5", "r") as file:
        assert file["feat"].is_virtual and file["feat"].dtype == np.float32
        np.testing.assert_array_equal(file["feat"][:], expected.repeat(repeats, 0))
