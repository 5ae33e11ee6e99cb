"""What is wrong with tables and their files, in the words that a user sees."""

from __future__ import annotations

import shutil

import pytest

from polymatch.data.video_files import VIDEO_SUFFIXES
from polymatch.errors import DataError
from polymatch.sources.custom_files import PICTURES

from . import custom_examples as examples
from .custom_examples import data, names, prepared

A, B = (f"{name}.png" for name in names(2))

TABLES = {
    "no caption column": (
        "captions.csv",
        "path,label\na,b\n",
        "{}: no column for the caption (caption, text, sentence, title); the columns are path, "
        "label; rename one or set data.custom.columns.caption",
    ),
    "no file column": (
        "captions.csv",
        "caption\nb\n",
        "{}: no column for the file (path, file, filename, file_name, filepath, image, video); the "
        "columns are caption; rename one or set data.custom.columns.file",
    ),
    "no caption in a line of JSON": (
        "list.jsonl",
        f'{{"path": "{A}", "text": "one"}}\n{{"path": "{B}"}}\n',
        "{}: line 2: no column for the caption (caption, text, sentence, title); the columns are "
        "path; rename one or set data.custom.columns.caption",
    ),
    "a column twice": (
        "captions.csv",
        "path,caption,Caption\na,b,c\n",
        "{}: column 'caption' is there twice; rename one",
    ),
    "too many cells": (
        "captions.csv",
        f"path,caption\n{A},one, two\n",
        "{}: line 2 has 3 cells, the first line 2; put a cell that holds ',' into quotation marks",
    ),
    "open quotation": (
        "captions.csv",
        f'path,caption\n{A},"one\n',
        "{}: line 2 is not CSV (unexpected end of data); save the table again",
    ),
    "a header alone": (
        "captions.csv",
        "path,caption\n",
        "{}: holds no rows; write one for each caption",
    ),
    "not UTF-8": (
        "captions.csv",
        b"path,caption\nx.png,one\nx.png,caf\xe9\n",
        "{}: line 3 is not UTF-8 (invalid continuation byte); save it as UTF-8",
    ),
    "UTF-16": (
        "captions.csv",
        "path,caption\n".encode("utf-16"),
        "{}: line 1 is not UTF-8 (invalid start byte); save it as UTF-8",
    ),
    "not JSON": (
        "list.jsonl",
        "\n{path: 1}\n",
        "{}: line 2 is not JSON (Expecting property name enclosed in double quotes: line 1 column "
        "2 (char 1)); write one object a line",
    ),
    "not an object": (
        "list.jsonl",
        '["x.png", "one"]\n',
        "{}: line 1 is not an object but ['x.png', 'one']; write one object a line",
    ),
    "not a text": (
        "list.jsonl",
        '{"path": "x.png", "text": 1.5}\n',
        "{}: line 1: caption is 1.5, not a text; correct the line",
    ),
    "no file": (
        "captions.csv",
        f"path,caption\n{A},one\n ,two\n",
        "{}, line 3: names no file; write its path or take out the row",
    ),
    "absolute": (
        "captions.csv",
        "path,caption\n/data/a.png,one\n",
        "{}, line 2: '/data/a.png' is an absolute path; write it relative to the data set's folder",
    ),
    "absolute on Windows": (
        "captions.csv",
        "path,caption\nC:\\data\\a.png,one\n",
        "{}, line 2: 'C:\\\\data\\\\a.png' is an absolute path; write it relative to the data "
        "set's folder",
    ),
    "leaving": (
        "captions.csv",
        "path,caption\nx\\..\\..\\a.png,one\n",
        "{}, line 2: 'x\\\\..\\\\..\\\\a.png' leaves the data set's folder; move the file into it",
    ),
    "two files of one id": (
        "captions.csv",
        f"path,caption,id\n{A},one,x\n{B},two,x\n",
        f"{{0}}, line 3: item 'x' is {B}, but {A} in {{0}}, line 2; an item has one file: rename "
        "or take out one",
    ),
    "two ids of one file": (
        "captions.csv",
        f"path,caption,id\n{A},one,x\n{A},two,y\n",
        f"{{0}}, line 3: {A} is item 'y', but 'x' in {{0}}, line 2; give a file one id",
    ),
    "two splits of one file": (
        "captions.csv",
        f"path,caption,split\n{A},one,train\n{A},two,test\n",
        f"{{0}}, line 3: split of {A} is 'test', but 'train' in {{0}}, line 2; a file has one in "
        "all of its rows",
    ),
    "a split for some": (
        "captions.csv",
        f"path,caption,split\n{A},one,train\n{B},two,\n",
        f"{{root}}: item {names(2)[1]!r} has no split, but others have; give every item one, or "
        "none",
    ),
    "no train": (
        "captions.csv",
        f"path,caption,split\n{A},one,val\n{B},two,test\n",
        "items: split 'train' has no items; every split of train, val, test needs some",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_that_cannot_be_read(case, tmp_path):
    name, content, message = TABLES[case]
    root = tmp_path / "set"
    examples.write_pictures(root, range(2))
    (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == message.format(root / name, root=root)


def change(root, old, new):
    table = root / "captions.csv"
    table.write_text(table.read_text().replace(old, new, 1))


NAME = names()[3]
ROWS = {  # table, what is wrong, what is said of item or caption, and how many problems that makes
    "not there": (
        lambda root: (root / f"{NAME}.png").unlink(),
        f"{{0}}/captions.csv, line 8: {{0}}/{NAME}.png is not there; put the file there or take "
        "it out",
    ),
    "no picture": (
        lambda root: (root / f"{NAME}.png").write_text("hello"),
        f"{{0}}/{NAME}.png: not a readable picture (UnidentifiedImageError); replace the file or "
        "take out its row",
    ),
    "a text": (
        lambda root: (change(root, f"{NAME}.png", "a.txt"), (root / "a.txt").write_text("x")),
        "{0}/captions.csv, line 8: a.txt is no picture and no clip by its suffix "
        f"({' '.join(sorted(PICTURES | VIDEO_SUFFIXES))})",
    ),
    "empty caption": (
        lambda root: change(root, examples.captions_of(3)[0], " "),
        "{0}/captions.csv, line 8: the caption is empty; write it or take it out",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_row_stops_or_is_left_out_and_listed(case, tmp_path):
    root = examples.write_table(tmp_path / "set")
    spoil, message = ROWS[case]
    spoil(root)
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert message.format(root) in str(raised.value)
    tables = prepared(data(root, on_bad_item="skip"))
    assert message.format(root) in tables.problems["problem"].tolist()
    assert len(tables.captions) == 48 - (tables.problems["table"] == "captions").sum()


def test_an_unknown_split_is_named(tmp_path):
    root = examples.write_table(tmp_path / "set", header=("path", "caption"))
    rows = (root / "captions.csv").read_text().splitlines()
    splits = ["split", *(["train"] * 40), *(["trian"] * 2), *(["val"] * 4), *(["test"] * 2)]
    (root / "captions.csv").write_text(
        "".join(f"{row},{split}\n" for row, split in zip(rows, splits, strict=True))
    )
    message = (
        f"{root}/captions.csv, line 42: split 'trian' is unknown (known: train, val or validation "
        "or dev, test); correct it"
    )
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == (
        f"items, row 21, {names()[20]!r}: {message} (and 2 other problems)"
    )
    tables = prepared(data(root, on_bad_item="skip"))
    assert len(tables.manifest) == 23 and tables.problems["problem"].iloc[0] == message


def test_equal_files_in_two_splits_are_named(tmp_path):
    root = examples.write_splits(tmp_path / "set")
    first, last = f"train/{names()[0]}", f"test/{names()[-1]}"
    shutil.copy(root / f"{first}.png", root / f"{last}.png")
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value).startswith(
        f"items, row 4, {last!r}: {last}.png and {first}.png are the same file, in the splits test "
        "and train; take one out, or what is learnt from it leaks (and "
    )
    manifest = prepared(data(root, on_bad_item="skip")).manifest
    assert len(manifest) == 22 and not {first, last} & set(manifest["item_id"])
