"""Training sets on disk give what those in memory give."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.splits import SplitReader, StoredTrainingSet, TrainingSet
from polymatch.errors import DataError

from ..stored_sets import tables


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    reader, _ = tables(tmp_path_factory.mktemp("toy"), items=9, captions=31, widths=(4, 3))
    return reader.stored_training_set("train", ["name"]), reader.training_set("train", ["name"])


def test_the_stored_form_has_the_names_and_sizes_of_the_other(both):
    stored, held = both
    assert stored.widths == held.widths == (4, 3)
    assert stored.nbytes == held.items.nbytes + held.captions.nbytes
    for name in ("pairs", "texts"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(held, name))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_any_captions_with_their_items_are_read_as_they_are_held(both, rows):
    stored, held = both
    rows = np.array(rows)
    for gathered in (stored.gather(rows), stored.gather(rows, checked=True), held.gather(rows)):
        np.testing.assert_array_equal(gathered.captions, held.captions[rows])
        np.testing.assert_array_equal(gathered.items[gathered.pairs], held.items[held.pairs[rows]])
        assert len(gathered.items) == len(set(held.pairs[rows]))


def test_what_fits_is_held_and_what_does_not_stays(both):
    stored, held = both
    loaded = stored.within(1)
    assert isinstance(loaded, TrainingSet)
    np.testing.assert_array_equal(loaded.items, held.items)
    rows = np.zeros(1 << 20, dtype=np.int64)  # 12 MB of captions, and nine items
    large = replace(stored, caption_rows=rows, pairs=rows, texts=rows)
    assert isinstance(large.within(13), TrainingSet)
    kept = large.within(12)
    assert isinstance(kept, StoredTrainingSet) and kept.memory_mb == 12
    assert kept.caption_rows is rows


def test_a_broken_row_is_named_if_it_is_used_and_only_then(tmp_path):
    reader, frames = tables(tmp_path, items=6, captions=20, widths=(2, 2))
    ids = [text.decode() for text in h5py.File(tmp_path / "c.h5")["ids"][:]]
    row = ids.index("c22")  # a caption of val
    with h5py.File(tmp_path / "c.h5", "a") as file:
        file["features"][row] = np.inf
    stored = reader.stored_training_set("train", ["name"])
    assert len(stored.load().captions) == 20
    message = rf"c\.h5: features of 'c22' \(row {row + 1}\) hold NaN or infinity; delete the file"
    with pytest.raises(DataError, match=message):
        reader.retrieval_set("val", ["name"])
    frames[0]["split"] = "train"
    whole = reader.stored_training_set("train", ["name"])
    with pytest.raises(DataError, match=message):
        whole.load()
    with pytest.raises(DataError, match=message):
        whole.gather(np.array([3, 22, 1]))
    assert np.isinf(whole.gather(np.array([22]), checked=True).captions).all()


def test_stores_of_another_data_set_are_refused(tmp_path):
    reader, frames = tables(tmp_path, items=3, captions=4, widths=(2, 2))
    other = SplitReader("other", *frames, reader.item_store, reader.caption_store)
    with pytest.raises(DataError, match=r"i\.h5: features of data set 'toy', not of 'other'"):
        other.stored_training_set("train", ["name"])
