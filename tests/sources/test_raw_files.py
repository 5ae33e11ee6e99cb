"""Files of raw data sets: records and rows against `json` and `csv`, and every fault of a file."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.sources.raw_files import Ids, found, identifier, objects, records, rows, text

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.one_of(WORDS, st.integers(-(2**60), 2**60), st.lists(WORDS, max_size=3), st.booleans())


@given(st.lists(st.dictionaries(WORDS, VALUES, max_size=4), min_size=1, max_size=20))
@settings(max_examples=40)
def test_records_are_those_of_the_whole_file(tmp_path_factory, wanted):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps({"info": {"images": [1]}, "images": wanted}), encoding="utf-8")
    assert [record for _, record in records(path, "images")] == wanted
    assert [where for where, _ in records(path, "images")][-1] == (
        f"{path}, images, entry {len(wanted)}"
    )


@given(st.lists(st.tuples(WORDS.filter(str.strip), WORDS), min_size=1), st.booleans())
@settings(max_examples=40)
def test_rows_are_those_of_csv_with_and_without_a_byte_order_mark(tmp_path_factory, wanted, mark):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
        csv.writer(file).writerows([("video_id", "sentence"), *wanted])
    read = [(row["video_id"], row["sentence"]) for _, row in rows(path, ("video_id", "sentence"))]
    assert read == wanted


def test_a_row_is_named_by_its_line_whatever_the_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"video_id,sentence\r\nvideo1,a dog\r\n\r\nvideo2,a cat\r\n")
    read = [(where, row["sentence"]) for where, row in rows(path, ("video_id",))]
    assert read == [(f"{path}, line 2", "a dog"), (f"{path}, line 4", "a cat")]


JSON_FAULTS = {
    "truncated": (b'{"images": [{"a": 1}, {"a"', "not whole JSON in UTF-8 (parse error: premature"),
    "empty": (b"", "not whole JSON in UTF-8 (parse error: premature EOF); copy it or unpack its"),
    "a mark": (b'\xef\xbb\xbf{"images": [{}]}', "not whole JSON in UTF-8 (lexical error: invalid"),
    "Latin-1": (b'{"images": [{"a": "\xe9"}]}', "not whole JSON in UTF-8 (lexical error: invalid"),
    "more behind": (b'{"images": [{}]} x', "not whole JSON in UTF-8 (parse error: trailing garb"),
    "a list": (b'[{"a": 1}]', "has no list `images`, or an empty one; take the file as its auth"),
    "no key": (b'{"videos": [{}]}', "has no list `images`, or an empty one; take the file as its"),
    "an object": (b'{"images": {"a": 1}}', "has no list `images`, or an empty one; take the file"),
    "numbers": (b'{"images": [{}, 7]}', "images, entry 2: 7 is no object; take the file as its a"),
}


@pytest.mark.parametrize(("content", "message"), JSON_FAULTS.values(), ids=JSON_FAULTS)
def test_a_json_that_is_not_whole_or_another_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(records(path, "images"))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value) and "\n" not in str(caught.value)


CSV_FAULTS = {
    "header only": (b"video_id,sentence\n", "has a header and no rows; take the file as its auth"),
    "nothing": (b"", "line 1 has no column video_id, sentence; take the file as its authors ship"),
    "no header": (b"video1,a dog\n", "line 1 has no column video_id, sentence; take the file as"),
    "a comma more": (
        b"video_id,sentence\nvideo1,a dog, a cat\n",
        "line 2: not a value for each of video_id, sentence; values with commas are put in double",
    ),
    "a value less": (b"video_id,sentence\nvideo1\n", "line 2: not a value for each of video_id, s"),
    "an open quote": (b'video_id,sentence\nvideo1,"a dog\n', "not CSV in UTF-8 (unexpected end of"),
    "Latin-1": (b"video_id,sentence\nvideo1,caf\xe9\n", "not CSV in UTF-8 ('utf-8' codec can't"),
}


@pytest.mark.parametrize(("content", "message"), CSV_FAULTS.values(), ids=CSV_FAULTS)
def test_a_csv_that_is_broken_or_another_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(rows(path, ("video_id", "sentence")))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_values_are_what_they_should_be_or_are_named():
    record = {"name": "a", "id": 7, "said": [{"b": 1}], "yes": True, "none": None, "some": [1]}
    assert text(record, "name", "x") == "a"
    assert identifier(record, "id", "x") == "7" and identifier(record, "name", "x") == "a"
    assert objects(record, "said", "x") == [{"b": 1}]
    for read, key, message in (
        (text, "url", "f.json, entry 3: has no `url`; take the file as its authors ship it"),
        (text, "id", "f.json, entry 3: `id` is 7, not a text; take the file as its authors ship"),
        (identifier, "yes", "f.json, entry 3: `yes` is True, not an id; take the file as its au"),
        (identifier, "none", "f.json, entry 3: `none` is None, not an id; take the file as its"),
        (objects, "some", "f.json, entry 3: `some` is no list of objects; take the file as its"),
    ):
        with pytest.raises(DataError) as caught:
            read(record, key, "f.json, entry 3")
        assert str(caught.value).startswith(message)


def test_an_id_that_comes_twice_is_named_with_both_places():
    ids = Ids("clip")
    assert ids.add("a", "entry 1") == "a" and "a" in ids and "b" not in ids
    with pytest.raises(
        DataError, match=r"^entry 4: clip 'a' is there already \(entry 1\); each ha"
    ):
        ids.add("a", "entry 4")


def test_a_file_is_looked_for_where_archives_and_people_put_it(tmp_path):
    names = ("caption_datasets/a.json", "a.json")
    message = (
        rf"^{tmp_path}/caption_datasets/a\.json: no such file \(nor a\.json there\); it is part of "
        r"caption_datasets\.zip: set `download: true`, or put it there$"
    )
    with pytest.raises(DataError, match=message):
        found(tmp_path, *names, part_of="caption_datasets.zip")
    (tmp_path / "a.json").touch()
    assert found(tmp_path, *names, part_of="it") == tmp_path / "a.json"
    (tmp_path / "caption_datasets").mkdir()
    (tmp_path / names[0]).touch()
    assert found(tmp_path, *names, part_of="it") == tmp_path / names[0]
