"""The manifest: each kind of bad input is named, stops or is listed, and never leaks through."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from polymatch.data.manifest import build_manifest
from polymatch.data.tables import check_table, load_schema
from polymatch.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path):
    for name in "abcd":
        Image.new("RGB", (4, 4), "red").save(tmp_path / f"{name}.png")
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "e.webp", save_all=True, append_images=frames[1:], lossless=True)
    return tmp_path


@pytest.fixture
def items():
    return pd.DataFrame(
        {
            "item_id": list("abcde"),
            "path": ["a.png", "b.png", "c.png", "d.png", "e.webp"],
            "n_frames": [1, 1, 1, 1, 3],
            "group_id": ["g1", "g1", "g2", "g3", "g4"],
            "split": ["train", "train", "val", "test", "test"],
            "unicode": "dropped",
        }
    )


@pytest.fixture
def captions():
    return pd.DataFrame(
        {
            "caption_id": [f"c{i}" for i in range(6)],
            "item_id": list("abcdea"),
            "text": ["one", "two", "three", "four", "five", "six"],
            "kind": "name",
            "language": "en",
        }
    )


def test_a_good_data_set_passes_whole(items, captions, root):
    prepared = build_manifest(items, captions, root)
    assert prepared.manifest["item_id"].tolist() == list("abcde")
    assert "unicode" not in prepared.manifest
    assert len(prepared.captions) == 6 and prepared.problems.empty
    check_table(prepared.manifest, load_schema("manifest"), "manifest")
    check_table(prepared.captions, load_schema("captions"), "captions")


def change(table, row, column, value):
    table[column] = table[column].astype(object)
    table.loc[row, column] = value


BAD = {
    "missing picture": (
        lambda items, _c, root: (root / "b.png").unlink(),
        r"items, row 2, 'b': .*b.png: no such picture",
        ("items", 2, "b"),
    ),
    "broken picture": (
        lambda items, _c, root: (root / "b.png").write_text("hello"),
        r"items, row 2, 'b': .*b.png: not a readable picture",
        ("items", 2, "b"),
    ),
    "wrong number of frames": (
        lambda items, _c, _r: change(items, 4, "n_frames", 8),
        r"items, row 5, 'e': .*e.webp has 3 frames, n_frames says 8",
        ("items", 5, "e"),
    ),
    "no path": (
        lambda items, _c, _r: change(items, 1, "path", None),
        r"items, row 2, 'b': has no picture; give its path",
        ("items", 2, "b"),
    ),
    "empty path": (
        lambda items, _c, _r: change(items, 1, "path", ""),
        r"items, row 2, 'b': has no picture",
        ("items", 2, "b"),
    ),
    "no number of frames": (
        lambda items, _c, _r: change(items, 1, "n_frames", pd.NA),
        r"b.png has 1 frames, n_frames says <NA>",
        ("items", 2, "b"),
    ),
    "problem that the source knows of": (
        lambda items, _c, _r: items.__setitem__("problem", ["", "odd", "", "", ""]),
        r"items, row 2, 'b': odd",
        ("items", 2, "b"),
    ),
    "problem of a caption": (
        lambda _i, captions, _r: captions.__setitem__("problem", [""] * 5 + ["odd"]),
        r"captions, row 6, 'c5': odd",
        ("captions", 6, "c5"),
    ),
    "unknown split": (
        lambda items, _c, _r: change(items, 4, "split", "dev"),
        r"items, row 5, 'e': split 'dev' is unknown \(known: train, val, test\)",
        ("items", 5, "e"),
    ),
    "empty caption": (
        lambda _i, captions, _r: change(captions, 5, "text", "  "),
        r"captions, row 6, 'c5': empty caption of item 'a'",
        ("captions", 6, "c5"),
    ),
    "caption that is no text": (
        lambda _i, captions, _r: change(captions, 5, "text", None),
        r"captions, row 6, 'c5': empty caption of item 'a'",
        ("captions", 6, "c5"),
    ),
    "caption of an unknown item": (
        lambda _i, captions, _r: change(captions, 5, "item_id", "z"),
        r"captions, row 6, 'c5': caption of an unknown item 'z'",
        ("captions", 6, "c5"),
    ),
    "item without captions": (
        lambda _i, captions, _r: change(captions, 4, "item_id", "a"),
        r"items, row 5, 'e': has no captions",
        ("items", 5, "e"),
    ),
}


@pytest.mark.parametrize(("spoil", "message", "listed"), BAD.values(), ids=BAD)
def test_one_bad_row_stops_or_is_listed(items, captions, root, spoil, message, listed):
    spoil(items, captions, root)
    with pytest.raises(DataError, match=message):
        build_manifest(items, captions, root)
    prepared = build_manifest(items, captions, root, on_bad_item="skip")
    problems = prepared.problems
    assert (problems.loc[0, "table"], problems.loc[0, "row"], problems.loc[0, "id"]) == listed
    left_out = set(problems["id"][problems["table"] == "items"])
    assert set(prepared.manifest["item_id"]) == set("abcde") - left_out
    assert set(prepared.captions["item_id"]) == set(prepared.manifest["item_id"])
    assert len(prepared.captions) + (problems["table"] == "captions").sum() == len(captions)


def test_a_group_in_two_splits_goes_whole(items, captions, root):
    change(items, 4, "group_id", "g1")
    with pytest.raises(DataError, match=r"'a': group 'g1' is in the splits test, train; put it"):
        build_manifest(items, captions, root)
    with pytest.raises(DataError, match=r"split 'train' has no items after 3 bad items were left"):
        build_manifest(items, captions, root, on_bad_item="skip")
    items.loc[5] = ["f", "a.png", 1, "g9", "train", ""]
    captions.loc[6] = ["c6", "f", "seven", "name", "en"]
    prepared = build_manifest(items, captions, root, on_bad_item="skip")
    assert prepared.manifest["item_id"].tolist() == ["c", "d", "f"]


def test_the_rest_of_the_problems_is_counted(items, captions, root):
    change(captions, 0, "text", "")
    change(captions, 1, "item_id", "z")
    with pytest.raises(DataError, match=r"'b': has no captions.*\(and 2 other problems\)"):
        build_manifest(items, captions, root)


@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_duplicate_ids_always_stop(items, captions, root, on_bad_item):
    twice = items.assign(item_id=list("abcda"))
    with pytest.raises(DataError, match=r"items, row 5: item_id 'a' is there already in row 1"):
        build_manifest(twice, captions, root, on_bad_item)
    twice = captions.assign(caption_id=["x", "y", "y", "y", "z", "w"])
    with pytest.raises(DataError, match=r"row 3: caption_id 'y' is .* row 2.*1 other repeats"):
        build_manifest(items, twice, root, on_bad_item)


@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_an_empty_split_always_stops(items, captions, root, on_bad_item):
    items["split"] = items["split"].replace("val", "test")
    with pytest.raises(DataError, match=r"split 'val' has no items; every split of train, val"):
        build_manifest(items, captions, root, on_bad_item)


def test_missing_columns_and_unknown_choice(items, captions, root):
    with pytest.raises(DataError, match="items: the columns split are missing"):
        build_manifest(items.drop(columns="split"), captions, root)
    with pytest.raises(ConfigError, match="on_bad_item: 'ignore' is not one of"):
        build_manifest(items, captions, root, on_bad_item="ignore")


def test_without_pictures_none_is_looked_for_and_all_else_is_checked(items, captions, root):
    items["path"], items["n_frames"] = None, pd.NA
    prepared = build_manifest(items, captions, root, pictures=False)
    assert prepared.manifest["item_id"].tolist() == list("abcde")
    check_table(prepared.manifest, load_schema("manifest"), "manifest")
    change(items, 4, "group_id", "g1")
    with pytest.raises(DataError, match=r"group 'g1' is in the splits test, train"):
        build_manifest(items, captions, root, pictures=False)
