"""Concept tags against a slow twin: which are tags, which an item has, and their targets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.tables import write_table
from polymatch.data.tag_files import write_annotations, write_tag_vocabulary
from polymatch.data.tags import commonest, count_tags, read_tags, tag_items
from polymatch.errors import ConfigError, DataError
from polymatch.settings.tags import TagsSettings

MANIFEST = pd.DataFrame(
    {"item_id": ["t1", "t2", "v1", "x1", "t3"], "split": ["train", "train", "val", "test", "train"]}
)
SAID = [
    ("t1", "dog run", "name"),
    ("t1", "dog sun", "name"),
    ("t1", "cat cat cat", "keyword"),
    ("t2", "run dog", "name"),
    ("v1", "sky sky sun sun", "name"),
    ("v1", "sun", "name"),
    ("x1", "sky sky", "name"),
    ("t3", "run moon", "name"),
    ("t2", "run", "name"),
]
CAPTIONS = pd.DataFrame(SAID, columns=["item_id", "text", "kind"])


def tagged(captions=CAPTIONS, **settings):
    settings = {"min_count": 1, "min_item_count": 1, **settings}
    return tag_items(MANIFEST, captions, ["name"], TagsSettings(**settings), str.split)


words = st.lists(st.sampled_from("abcdefg"), max_size=30)


@given(words, st.integers(1, 8), st.integers(1, 3))
def test_the_commonest_by_sorting_in_order_of_appearance(said, size, least):
    order = {word: said.index(word) for word in said}
    often = [word for word in order if said.count(word) >= least]
    expected = sorted(often, key=lambda word: (-said.count(word), order[word]))[:size]
    if expected:
        assert commonest(said, size, least) == expected
    else:
        message = rf"^no noun, verb or adjective is {least} times in train's captions; lower `tags."
        with pytest.raises(DataError, match=message):
            commonest(said, size, least)


@given(words, st.sets(st.sampled_from("abcdefg")), st.integers(1, 3))
def test_an_item_has_what_is_often_in_its_captions(said, vocabulary, least):
    found = count_tags({"i": said}, sorted(vocabulary), least)["i"]
    kept = {word for word in said if said.count(word) >= least} & vocabulary
    assert found == {word: said.count(word) for word in kept}
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_train_makes_the_tags_and_train_and_val_have_them():
    made = tagged()
    assert made.vocabulary == ["run", "dog", "sun", "moon"]
    assert made.counts == {
        "t1": {"dog": 2, "run": 1, "sun": 1},
        "t2": {"run": 2, "dog": 1},
        "v1": {"sun": 3},
        "t3": {"run": 1, "moon": 1},
    }
    assert made.untagged.empty
    assert made.table.iloc[3:5].to_numpy().tolist() == [["t2", "run", 2], ["t2", "dog", 1]]
    assert tagged(size=2).vocabulary == ["run", "dog"]
    assert tagged(min_count=3).vocabulary == ["run", "dog"]


def test_an_item_that_is_not_trained_with_needs_no_tag():
    captions = CAPTIONS[(CAPTIONS["item_id"] != "t3") | (CAPTIONS["kind"] != "name")]
    assert list(tagged(captions).counts) == ["t1", "t2", "v1"]


def test_items_without_tags():
    made = tagged(min_item_count=2, untagged="leave_out")
    assert made.untagged.to_numpy().tolist() == [["t3", "train", "run moon"]]
    assert made.counts["t3"] == {} and "t3" not in set(made.table["item_id"])
    message = (
        r"^item 't3' of train has no tag: nothing that is 2 times in its captions is one of the "
        r"tags; lower `tags.min_item_count`, raise `tags.size`, or leave such items out of the "
        r"loss of concepts \(`tags.untagged: leave_out`\)$"
    )
    with pytest.raises(DataError, match=message):
        tagged(min_item_count=2)
    with pytest.raises(DataError, match=r"^item 't1' of train \(and 2 more\) has no tag: nothing"):
        tagged(min_item_count=9)
    with pytest.raises(DataError, match=r"^item 't1' of train has no tag: .* and neither has any"):
        tagged(min_item_count=9, untagged="leave_out")


def test_an_item_of_val_without_tags_is_listed_and_stops_nothing():
    made = tagged(size=2)
    assert made.untagged.to_numpy().tolist() == [["v1", "val", "sky sky sun sun"]]
    assert made.counts["v1"] == {}


def test_published_files_are_taken_as_they_are(tmp_path):
    vocabulary, annotations = str(tmp_path / "tag_vocab.json"), str(tmp_path / "video_tag.txt")
    write_tag_vocabulary(vocabulary, ["sky", "dog"])
    counts = {"t1": {"dog": 7}, "t2": {"sky": 1}, "t3": {"sky": 2}, "other": {"cow": 1}}
    write_annotations(annotations, counts)
    made = tagged(vocabulary=vocabulary, annotations=annotations)
    assert made.vocabulary == ["sky", "dog"]
    assert made.counts == {"t1": {"dog": 7}, "t2": {"sky": 1}, "v1": {}, "t3": {"sky": 2}}
    only = tagged(vocabulary=vocabulary, untagged="leave_out")
    assert only.counts == {"t1": {"dog": 2}, "t2": {"dog": 1}, "v1": {"sky": 2}, "t3": {}}
    message = (
        r"video_tag.txt: item 't2' has the tag 'sky', which is not in the tags built from train's "
        r"captions; give the `tag_vocab.json` that goes with it \(`tags.vocabulary`\)"
    )
    with pytest.raises(DataError, match=message):
        tagged(annotations=annotations)
    write_annotations(annotations, {"t1": {"dog": 7}, "t3": {"sky": 2}})
    message = r"^item 't2' of train has no tag in .*video_tag.txt; add its line there, or leave suc"
    with pytest.raises(DataError, match=message):
        tagged(vocabulary=vocabulary, annotations=annotations)


def test_no_captions_of_the_kind():
    with pytest.raises(ConfigError, match=r"caption kind 'name' is unknown \(the data set has: "):
        tagged(CAPTIONS[CAPTIONS["kind"] == "keyword"])


@pytest.fixture
def stored(tmp_path):
    write_tag_vocabulary(tmp_path / "v.json", tagged().vocabulary)
    write_table(tagged().table, tmp_path / "tags.parquet", "tags")
    return tmp_path


def test_targets_are_shares_of_the_largest_count(stored):
    wanted = ["v1", "x1", "t2", "t1"]
    targets = read_tags(stored / "tags.parquet", stored / "v.json", wanted)
    assert targets.dtype == np.float32
    expected = [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0.5, 0, 0], [0.5, 1, 0.5, 0]]
    np.testing.assert_array_equal(targets, np.array(expected, dtype=np.float32))
    assert read_tags(stored / "tags.parquet", stored / "v.json", []).shape == (0, 4)


def test_a_table_of_another_vocabulary(stored):
    write_tag_vocabulary(stored / "v.json", ["run", "dog"])
    message = (
        r"tags.parquet: item 't1' has the tag 'sun', which is not in .*v.json; delete both and run "
        r"their stage again"
    )
    with pytest.raises(DataError, match=message):
        read_tags(stored / "tags.parquet", stored / "v.json", ["t1"])
    with pytest.raises(DataError, match=r"gone.parquet: no such file; run the stage that writes"):
        read_tags(Path(stored / "gone.parquet"), stored / "v.json", ["t1"])
