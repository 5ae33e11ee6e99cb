"""Every layout of one's own data, and that it does not matter which one it is."""

from __future__ import annotations

import random
import shutil

import pandas as pd
import pytest

from polymatch.sources import check_source, read_source

from . import custom_examples as examples
from .custom_examples import captions_of, data, names, prepared, split_rows

DRAWN = {
    "csv": examples.write_table,
    "tsv": lambda root: examples.write_table(root, name="list.TSV", delimiter="\t"),
    "semicolons": lambda root: examples.write_table(root, delimiter=";"),
    "jsonl": lambda root: examples.write_table(root, name="a.jsonl", header=("Image", "Text")),
    "imagefolder": lambda root: examples.write_table(
        root, name="metadata.csv", header=("file_name", "text")
    ),
    "folder": examples.write_folder,
    "shards": examples.write_shards,
    "shards with .cap": lambda root: examples.write_shards(root, captions="cap"),
}
SPLIT = {
    "folders": examples.write_splits,
    "metadata.csv": lambda root: examples.write_splits(root, metadata="metadata.csv"),
    "metadata.jsonl": lambda root: examples.write_splits(root, metadata="metadata.jsonl"),
}
FLICKR = {
    "flickr8k": lambda root: examples.write_flickr8k(root, lists=False),
    "kaggle8k": examples.write_kaggle8k,
    "flickr30k": examples.write_flickr30k,
    "kaggle30k": examples.write_kaggle30k,
}


def without_places(tables):
    """What does not depend on where files lie and what captions are called."""
    manifest = tables.manifest.drop(columns="path")
    return manifest, sorted(zip(tables.captions["item_id"], tables.captions["text"], strict=True))


@pytest.fixture
def reference(tmp_path):
    return prepared(data(examples.write_table(tmp_path / "reference")))


def test_a_table_is_what_it_says(reference, tmp_path):
    manifest, captions = reference.manifest, reference.captions
    assert manifest["item_id"].tolist() == sorted(names())
    assert manifest["path"].tolist() == [f"{name}.png" for name in sorted(names())]
    assert manifest["n_frames"].eq(1).all() and reference.problems.empty
    assert manifest["split"].value_counts().to_dict() == {"train": 20, "val": 2, "test": 2}
    of_item = captions.groupby("item_id")["text"].agg(set)
    assert of_item.to_dict() == {n: set(captions_of(row)) for row, n in enumerate(names())}
    assert set(captions["kind"]) == {"sentence"} and set(captions["language"]) == {"en"}
    assert captions["caption_id"].str.match(r"\d+_[0-9a-f]{4}#[0-9a-f]{8}$").all()


@pytest.mark.parametrize("layout", [*DRAWN, *FLICKR])
def test_the_manifest_does_not_depend_on_the_layout(layout, reference, tmp_path):
    settings = data((DRAWN | FLICKR)[layout](tmp_path / "set"))
    check_source(settings)
    tables = prepared(settings)
    pd.testing.assert_frame_equal(without_places(tables)[0], without_places(reference)[0])
    assert without_places(tables)[1] == without_places(reference)[1]
    if layout in DRAWN:  # Flickr's captions have numbers of their own
        pd.testing.assert_frame_equal(tables.captions, reference.captions)
    for path in tables.manifest["path"]:
        assert (tmp_path / "set" / path).is_file()


@pytest.mark.parametrize("layout", SPLIT)
def test_folders_of_splits_decide_them(layout, tmp_path):
    tables = prepared(data(SPLIT[layout](tmp_path / "set")))
    wanted = {
        f"{split}/{names()[row]}": split for split, rows in split_rows().items() for row in rows
    }
    assert dict(zip(tables.manifest["item_id"], tables.manifest["split"], strict=True)) == wanted
    assert len(tables.captions) == 48


def test_flickr8ks_lists_decide_its_splits_and_its_captions_keep_their_ids(tmp_path):
    root = examples.write_flickr8k(tmp_path / "set")
    unlisted = root / "Flickr_8k.trainImages.txt"
    unlisted.write_text("".join(unlisted.read_text().splitlines(keepends=True)[1:]))
    tables = prepared(data(root))
    wanted = {names()[row]: split for split, rows in split_rows().items() for row in rows}
    del wanted[names()[0]]
    assert dict(zip(tables.manifest["item_id"], tables.manifest["split"], strict=True)) == wanted
    assert tables.manifest["path"].iloc[0] == f"Flicker8k_Dataset/{names()[1]}.jpg"
    assert tables.captions["caption_id"].iloc[:2].tolist() == [
        f"{names()[1]}.jpg#0",
        f"{names()[1]}.jpg#1",
    ]


def test_the_row_of_flickr30k_that_lacks_a_mark_is_read(tmp_path):
    captions = prepared(data(examples.write_kaggle30k(tmp_path / "set"))).captions
    row = captions[captions["caption_id"] == f"{names()[4]}.jpg#1"]
    assert row["text"].tolist() == [captions_of(4)[1]]


@pytest.mark.parametrize(
    "write", [examples.write_table, examples.write_folder, examples.write_flickr8k]
)
def test_the_order_of_rows_and_files_changes_nothing(write, tmp_path):
    first = prepared(data(write(tmp_path / "first")))
    write(tmp_path / "once")
    second = tmp_path / "second"
    paths = [path for path in (tmp_path / "once").rglob("*") if path.is_file()]
    random.Random(0).shuffle(paths)
    for path in paths:  # folders list their files as they came
        target = second / path.relative_to(tmp_path / "once")
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".csv", ".txt"):
            head, *rest = path.read_text().splitlines(keepends=True)
            lines = [head, *rest] if path.suffix == ".txt" else rest
            random.Random(1).shuffle(lines)
            lines = lines if path.suffix == ".txt" else [head, *lines]
            target.write_text("".join(line.rstrip("\n") + "\n" for line in lines))
        else:
            shutil.copy(path, target)
    other = prepared(data(second))
    pd.testing.assert_frame_equal(first.manifest, other.manifest)
    pd.testing.assert_frame_equal(first.captions, other.captions)


def test_columns_that_are_there_are_used_and_others_can_be_named(tmp_path):
    root = tmp_path / "set"
    examples.write_pictures(root / "pictures", range(4))
    splits = ["training", "Dev", "test", "train"]
    rows = [
        {
            "Datei": rf".\{names()[row]}.png",
            "Satz": captions_of(row)[0],
            "id": f"item {row}",
            "group": f"g{row // 3}x{row}",
            "split": split,
            "language": "de" if row else "",
            "kind": "keyword" if row else "",
            "caption_id": f"c{row}",
        }
        for row, split in enumerate(splits)
    ]
    examples.write_rows(root / "list.csv", rows)
    columns = {"file": "Datei", "caption": "satz"}
    custom = {"layout": "table", "files": "pictures", "columns": columns, "language": "fr"}
    tables = prepared(data(root, custom))
    assert tables.manifest["item_id"].tolist() == [f"item {row}" for row in range(4)]
    assert tables.manifest["path"].iloc[0] == f"pictures/{names()[0]}.png"
    assert tables.manifest["split"].tolist() == ["train", "val", "test", "train"]
    assert tables.manifest["group_id"].tolist() == ["g0x0", "g0x1", "g0x2", "g1x3"]
    assert tables.captions["caption_id"].tolist() == ["c0", "c1", "c2", "c3"]
    assert tables.captions["language"].tolist() == ["fr", "de", "de", "de"]
    assert tables.captions["kind"].tolist() == ["sentence", "keyword", "keyword", "keyword"]


def test_a_caption_may_be_a_list_in_json_lines(tmp_path):
    root = tmp_path / "set"
    examples.write_pictures(root, range(3))
    rows = [{"image": f"{names()[r]}.png", "caption": captions_of(r)} for r in range(3)]
    examples.write_rows(root / "list.jsonl", rows)
    assert len(prepared(data(root)).captions) == 6


def test_byte_order_marks_line_ends_and_upper_case_are_read(tmp_path, reference):
    root = examples.write_table(tmp_path / "set")
    table = root / "captions.csv"
    text = table.read_text().replace("\n", "\r\n").replace("\r\r", "\r")
    table.write_bytes(b"\xef\xbb\xbf" + text.replace(".png", ".PNG").encode())
    for path in root.glob("*.png"):
        path.rename(path.with_suffix(".PNG"))
    pd.testing.assert_frame_equal(prepared(data(root)).captions, reference.captions)
    folder = examples.write_folder(tmp_path / "folder")
    for path in folder.glob("*"):
        path.rename(path.with_suffix(path.suffix.upper()))
    (folder / f"{names()[0]}.TXT").write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo\r\n")
    captions = prepared(data(folder)).captions
    assert captions["text"][captions["item_id"] == names()[0]].tolist() == ["one", "two"]


def test_hidden_files_those_of_macos_and_readmes_do_not_count(tmp_path, reference):
    root = examples.write_folder(tmp_path / "set")
    for extra in (".DS_Store", "._a.jpg", "__MACOSX/b.jpg", ".cache/c.txt", "README.txt"):
        (root / extra).parent.mkdir(exist_ok=True)
        (root / extra).write_text("nothing")
    pd.testing.assert_frame_equal(prepared(data(root)).manifest, reference.manifest)


def test_clips_have_the_frames_that_are_sampled(tmp_path):
    root = tmp_path / "set"
    examples.write_pictures(root, range(2))
    for number in range(3):
        (root / f"clip{number}.MP4").write_bytes(bytes([number]))
    for path in [*root.iterdir()]:
        path.with_suffix(".txt").write_text(f"about {path.stem}")
    items, _ = read_source(data(root, frames=7))
    assert dict(zip(items["item_id"], items["n_frames"], strict=True)) == {
        **dict.fromkeys(("clip0", "clip1", "clip2"), 7),
        **dict.fromkeys(names(2), 1),
    }


def test_a_linked_folder_is_followed_once(tmp_path, reference):
    examples.write_folder(tmp_path / "far")
    root = tmp_path / "set"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "loop").symlink_to(root)
    items, _ = read_source(data(root))
    assert items["item_id"].tolist() == [f"a/{name}" for name in sorted(names())]
