"""The published files of tags: what is written is read, and what is wrong in one is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.tag_files import (
    read_annotations,
    read_tag_vocabulary,
    write_annotations,
    write_tag_vocabulary,
)
from polymatch.errors import DataError

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@given(st.dictionaries(NAMES, st.dictionaries(st.text(), st.integers(1, 99), min_size=1)))
def test_annotations_come_back(tmp_path_factory, counts):
    path = tmp_path_factory.mktemp("a") / "video_tag.txt"
    write_annotations(path, counts)
    assert read_annotations(path) == counts
    # The published reader, with eval made harmless by what is in these dicts: words and numbers.
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    parts = [line.split("\t") for line in lines]
    assert {item_id: eval(tags, {}) for item_id, tags in parts} == counts


def test_items_without_tags_are_left_out_and_may_be_read(tmp_path):
    write_annotations(tmp_path / "v.txt", {"a": {}, "b": {"dog": 2}})
    assert (tmp_path / "v.txt").read_text() == "b\t{'dog': 2}\n"
    (tmp_path / "v.txt").write_text("a\t{}\n\nb\t{'dog': 2}")
    assert read_annotations(tmp_path / "v.txt") == {"a": {}, "b": {"dog": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {'dog': 1}", r"v.txt, line 1: no tab between an item's id and its tags"),
        ("b\t{}\na\t{}\nb\t{}", r"v.txt, line 3: item 'b' is there twice"),
        ("a\t{'dog': 1", r"v.txt, line 1: tags of 'a' are no dict of numbers: \"\{'dog': 1\""),
        ("a\t['dog']", r"v.txt, line 1: tags of 'a' are no dict of numbers: \"\['dog'\]\""),
        ("a\tdict(dog=1)", r"v.txt, line 1: tags of 'a' are no dict of numbers: 'dict\(dog=1\)'"),
        ("a\t{'dog': 0}", r"tags of 'a': 'dog' has 0; each tag must have a whole number above 0"),
        ("a\t{'dog': True}", r"tags of 'a': 'dog' has True; each tag must have a whole number"),
        ("a\t{'dog': 1.5}", r"tags of 'a': 'dog' has 1.5; each tag must have a whole number"),
        ("a\t{3: 1}", r"tags of 'a': 3 has 1; each tag must have a whole number above 0"),
    ],
)
def test_what_is_wrong_in_a_line_is_named(tmp_path, text, message):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path / "v.txt")


def test_a_line_is_never_run(tmp_path):
    left = tmp_path / "left"
    (tmp_path / "v.txt").write_text(f"a\t__import__('pathlib').Path({str(left)!r}).touch()\n")
    with pytest.raises(DataError, match=r"line 1: tags of 'a' are no dict of numbers: '?\"?__imp"):
        read_annotations(tmp_path / "v.txt")
    assert not left.exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"v.txt: no such file; give the path of a `video_tag.txt`"):
        read_annotations(tmp_path / "v.txt")
    (tmp_path / "v.txt").write_bytes("a\t{'é': 1}".encode("latin-1"))
    with pytest.raises(DataError, match=r"v.txt: not UTF-8 \(.*\); save it as that"):
        read_annotations(tmp_path / "v.txt")


def test_the_vocabulary_comes_back(tmp_path):
    write_tag_vocabulary(tmp_path / "t.json", ["man", "dog", "run"])
    assert json.loads((tmp_path / "t.json").read_text()) == {"man": 0, "dog": 1, "run": 2}
    assert read_tag_vocabulary(tmp_path / "t.json") == ["man", "dog", "run"]
    (tmp_path / "t.json").write_text('{"man": 0, "dog": 2}')
    with pytest.raises(DataError, match=r"t.json: no word has number 1, though 2 is in use; words"):
        read_tag_vocabulary(tmp_path / "t.json")
