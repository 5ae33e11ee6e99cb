"""Splits as arrays, from tables and stores written on the spot."""

import numpy as np
import pandas as pd
import pytest

from polymatch.data.features import write_features
from polymatch.data.splits import SplitReader
from polymatch.errors import DataError

ATTRIBUTES = {
    "encoder": "e",
    "revision": "1",
    "preprocessing": "p",
    "dataset": "toy",
    "command": "test",
}
MANIFEST = pd.DataFrame(
    {"item_id": ["a", "b", "c", "d"], "split": ["train", "train", "test", "train"]}
)
CAPTIONS = pd.DataFrame(
    [
        ("1", "a", "Red heart", "name"),
        ("2", "a", "love", "keyword"),
        ("3", "b", "red  HEART", "name"),
        ("4", "c", "clock", "name"),
        ("5", "b", "kite", "name"),
    ],
    columns=["caption_id", "item_id", "text", "kind"],
)


@pytest.fixture
def reader(tmp_path):
    items, captions = np.arange(8.0).reshape(4, 2), np.arange(10.0).reshape(5, 2)
    write_features(tmp_path / "i.h5", list("dcba"), items[::-1], attributes=ATTRIBUTES)
    write_features(tmp_path / "c.h5", list("12345"), captions, attributes=ATTRIBUTES)
    return SplitReader("toy", MANIFEST, CAPTIONS, tmp_path / "i.h5", tmp_path / "c.h5")


def test_training_set_pairs_each_caption_with_its_item(reader):
    data = reader.training_set("train", ["name"])
    assert data.items.tolist() == [[0, 1], [2, 3]]  # d has no caption
    assert data.captions.tolist() == [[0, 1], [4, 5], [8, 9]]
    assert data.pairs.tolist() == [0, 1, 1]
    assert data.texts.tolist() == [0, 0, 1]  # "Red heart" and "red  HEART" are one text


def test_retrieval_set_merges_equal_texts(reader):
    data = reader.retrieval_set("train", ["name"])
    assert data.texts == ["Red heart", "kite"]
    assert data.positives == [("a", "b"), ("b",)]
    assert data.matches().tolist() == [[0, 0], [1, 0], [1, 1]]
    assert data.captions.tolist() == [[0, 1], [8, 9]]


def test_only_the_kinds_asked_for_are_used(reader):
    assert reader.retrieval_set("train", ["keyword"]).texts == ["love"]
    assert reader.gallery("train", ["name", "keyword"])[1].texts == ["Red heart", "love", "kite"]


def test_a_split_without_items_is_named(reader):
    with pytest.raises(DataError, match=r"toy: split 'val' has no item with a caption of kind nam"):
        reader.training_set("val", ["name"])


def test_features_of_another_data_set_are_refused(reader, tmp_path):
    other = SplitReader("other", MANIFEST, CAPTIONS, tmp_path / "i.h5", tmp_path / "c.h5")
    with pytest.raises(DataError, match="toy"):
        other.training_set("train", ["name"])


def test_missing_features_are_an_error_unless_they_may_be_skipped(reader, tmp_path):
    rows = np.zeros((3, 2))
    write_features(tmp_path / "less.h5", ["a", "c", "d"], rows, attributes=ATTRIBUTES)
    paths = (tmp_path / "less.h5", tmp_path / "c.h5")
    with pytest.raises(DataError, match="'b'"):
        SplitReader("toy", MANIFEST, CAPTIONS, *paths).training_set("train", ["name"])
    skipping = SplitReader("toy", MANIFEST, CAPTIONS, *paths, skip_missing=True)
    assert len(skipping.training_set("train", ["name"]).items) == 1


def test_captions_of_equal_text_are_of_one_query(reader):
    for kinds in (["name"], ["keyword"], ["name", "keyword"]):
        queries = reader.gallery("train", kinds)[1]
        query_of = reader.caption_queries("train", kinds)
        assert [query_of[caption] for caption in queries.caption_ids] == [
            *range(len(queries.texts))
        ]
    assert reader.caption_queries("train", ["name"]) == {"1": 0, "3": 0, "5": 1}


def test_items_that_the_store_itself_leaves_out_are_no_error(reader, tmp_path):
    told = {**ATTRIBUTES, "leaves_out": "items without sound"}
    write_features(tmp_path / "sound.h5", ["a", "c"], np.zeros((2, 2)), attributes=told)
    paths = (tmp_path / "sound.h5", tmp_path / "c.h5")
    heard = SplitReader("toy", MANIFEST, CAPTIONS, *paths).retrieval_set("train", ["name"])
    # The caption of both a and b still asks for a; b's own one goes with b.
    assert heard.item_ids == ["a"] and heard.texts == ["Red heart"]
    assert heard.positives == [("a",)]
