"""Folders and Flickr8k's files with faults, and folders that fit no layout or two."""

from __future__ import annotations

import shutil

import pytest

from polymatch.errors import DataError
from polymatch.settings.custom import CustomSettings
from polymatch.sources import check_source
from polymatch.sources.custom_layouts import LOOKED_FOR

from . import custom_examples as examples
from .custom_examples import data, names, prepared

ONE = names()[0]


def spoil_folder(root, what):
    name = root / names()[0]
    if what == "two suffixes":
        shutil.copy(f"{name}.png", f"{name}.JPG")
    elif what == "two texts":
        (root / f"{names()[0]}.TXT").write_text("another")
    elif what == "no text":
        name.with_suffix(".txt").unlink()
    elif what == "no picture":
        name.with_suffix(".png").unlink()
    elif what == "no words":
        name.with_suffix(".txt").write_text("\n \n")
    elif what == "empty split":
        (root / "Validation").mkdir()
    elif what == "beside the splits":
        (root / "train").mkdir()
        shutil.move(f"{name}.png", root / "train")
    else:
        (root / "metadata.csv").write_text("file_name,text\n")


FOLDERS = {
    "two suffixes": f"{{0}}/{ONE}.txt, line 1: item '{ONE}' is {ONE}.png, but {ONE}.JPG in "
    f"{{0}}/{ONE}.txt, line 1; an item has one file: rename or take out one",
    "two texts": f"{{0}}/{ONE}.txt: captions of {ONE} are in {{0}}/{ONE}.TXT already; keep one",
    "no text": f"items, row 1, '{ONE}': has no captions; add one or take out the item",
    "no picture": f"captions, row 1, '{ONE}#74fcef5f': {{0}}/{ONE}.txt, line 1: there is no "
    f"picture and no clip called {ONE}; add it or delete the text file (and 1 other problems)",
    "no words": f"items, row 1, '{ONE}': has no captions; add one or take out the item (and 1 "
    "other problems)",
    "empty split": "{0}/Validation: is the folder of a split, but holds no picture and no clip; "
    "fill it or delete it",
    "beside the splits": f"{{0}}/{names()[1]}.png: is in no folder of a split, but others are (in "
    "train); move it into train/, val/ or test/, or all of them out",
    "two kinds of captions": f"{{0}}: captions are in metadata.csv and in {ONE}.txt; which of them "
    "count cannot be known: keep one kind",
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_that_cannot_be_read(case, tmp_path):
    root = examples.write_folder(tmp_path / "set")
    spoil_folder(root, case)
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == FOLDERS[case].format(root)


FLICKR = {
    "line": (
        ("Flickr8k.token.txt", "\t", " "),
        f"{{0}}/Flickr8k.token.txt: line 1 is not PICTURE#NUMBER, a tab and a caption: "
        f"'{ONE}.jpg#0 A red square , number 0 .'",
    ),
    "in two lists": (
        ("Flickr_8k.devImages.txt", "", f"{ONE}.jpg\n"),
        f"{{0}}/Flickr_8k.devImages.txt, line 1: {ONE}.jpg is in {{0}}/Flickr_8k.trainImages.txt, "
        "line 1 too; take it out of one",
    ),
    "listed without captions": (
        ("Flickr_8k.testImages.txt", "", "other.jpg\n"),
        "items, row 25, 'other': {0}/Flickr_8k.testImages.txt, line 1: {0}/other.jpg is not there; "
        "put the file there or take it out",
    ),
}


@pytest.mark.parametrize("case", FLICKR)
def test_flickr8ks_files_that_do_not_fit(case, tmp_path):
    root = examples.write_flickr8k(tmp_path / "set")
    (name, old, new), message = FLICKR[case]
    (root / name).write_text((root / name).read_text().replace(old, new, 1))
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == message.format(root)


def test_flickr8ks_lists_are_all_there_or_none(tmp_path):
    root = examples.write_flickr8k(tmp_path / "set")
    dev = root / "Flickr_8k.devImages.txt"
    dev.write_text("\n")
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == f"{dev}: lists no pictures; every split needs some"
    dev.unlink()
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == (
        f"{dev}: no such file, but Flickr_8k.trainImages.txt is there; all three are needed"
    )


def test_a_picture_that_is_there_twice(tmp_path):
    root = examples.write_flickr30k(tmp_path / "set")
    shutil.copytree(root / "flickr30k-images", root / "again")
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == (
        f"{root}/results_20130124.token, line 1: {ONE}.jpg is there twice, as again/{ONE}.jpg and "
        f"flickr30k-images/{ONE}.jpg; delete one copy or set data.custom.files"
    )
    custom = {"layout": "flickr8k", "files": "flickr30k-images"}
    assert len(prepared(data(root, custom)).manifest) == 24


def test_a_missing_or_empty_folder_says_what_was_looked_for(tmp_path):
    root = tmp_path / "mine"
    with pytest.raises(DataError) as raised:
        check_source(data(root))
    assert str(raised.value) == (
        f"{root}: no such folder (data.root); put pictures or clips with captions there; "
        f"{LOOKED_FOR}"
    )
    assert "\n" not in LOOKED_FOR and "metadata.csv" in LOOKED_FOR and ".tar" in LOOKED_FOR
    examples.write_pictures(root, range(3))
    with pytest.raises(DataError) as raised:
        check_source(data(root))
    assert str(raised.value) == f"{root}: holds nothing that is recognised; {LOOKED_FOR}"
    with pytest.raises(DataError) as raised:
        check_source(data(root, {"layout": "webdataset"}))
    assert str(raised.value) == (
        f"{root}: nothing of layout 'webdataset' (data.custom.layout) is there; {LOOKED_FOR}"
    )


def test_two_layouts_or_two_tables_are_named(tmp_path):
    root = examples.write_shards(examples.write_folder(tmp_path / "set"))
    with pytest.raises(DataError) as raised:
        check_source(data(root))
    assert str(raised.value) == (
        f"{root}: is both 'folder' ({ONE}.txt) and 'webdataset' (00000.tar); say which with "
        "data.custom.layout"
    )
    assert len(prepared(data(root, {"layout": "folder"})).manifest) == 24
    assert len(prepared(data(root, {"layout": "webdataset"})).manifest) == 24
    root = examples.write_table(examples.write_table(tmp_path / "two"), name="again.tsv")
    with pytest.raises(DataError) as raised:
        check_source(data(root))
    assert str(raised.value) == (
        f"{root}: again.tsv and captions.csv could both hold the captions; say which with "
        "data.custom.table"
    )
    assert len(prepared(data(root, {"layout": "table", "table": "again.tsv"})).manifest) == 24
    with pytest.raises(DataError) as raised:
        check_source(data(root, {"layout": "table", "table": "other.csv"}))
    assert str(raised.value) == f"{root}/other.csv: no such file (data.custom.table)"


def test_a_key_of_another_layout_is_refused():
    with pytest.raises(ValueError, match="`shards` is for layout webdataset, not for 'table'"):
        CustomSettings(layout="table", shards=["a.tar"])
