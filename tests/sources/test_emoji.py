"""The committed emoji data set and its reader."""

import re
from pathlib import Path

import pytest
from PIL import Image

from polymatch.errors import DataError
from polymatch.sources import emoji

ROOT = Path(__file__).parents[2] / "resources" / "emoji"
ITEMS = "item_id,path,n_frames,group_id,subgroup,split,unicode\n"
CAPTIONS = "caption_id,item_id,text,kind,language\n"


def test_ids_are_unique_and_captions_belong_to_items() -> None:
    items, captions = emoji.read_tables(ROOT)
    assert tuple(items.columns) == emoji.ITEM_COLUMNS
    assert tuple(captions.columns) == emoji.CAPTION_COLUMNS
    assert items["item_id"].is_unique and items["unicode"].is_unique
    assert captions["caption_id"].is_unique
    assert not captions.duplicated(["item_id", "text"]).any()
    assert set(captions["item_id"]) <= set(items["item_id"])
    assert set(captions["kind"]) == {"name", "keyword"}
    assert set(captions.loc[captions["kind"] == "name", "item_id"]) == set(items["item_id"])


def test_captions_are_tidy_texts() -> None:
    _, captions = emoji.read_tables(ROOT)
    texts = captions["text"]
    assert (texts.str.len() > 0).all()
    assert (texts == texts.str.lower()).all()
    assert (texts == texts.str.split().str.join(" ")).all()


def test_no_keyword_is_a_name() -> None:
    _, captions = emoji.read_tables(ROOT)
    texts = {kind: set(part["text"]) for kind, part in captions.groupby("kind")}
    assert not texts["name"] & texts["keyword"]


def test_no_flags_and_no_skin_tones() -> None:
    items, _ = emoji.read_tables(ROOT)
    points = {int(part, 16) for item_id in items["item_id"] for part in item_id.split("-")}
    assert not points & {*range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400), 0x1F3F3, 0x1F3F4}


def test_every_picture_is_there_with_its_frames_and_no_other() -> None:
    items, _ = emoji.read_tables(ROOT)
    there = {f"images/{path.name}" for path in (ROOT / "images").iterdir()}
    assert set(items["path"]) == there
    for path, n_frames in zip(items["path"], items["n_frames"], strict=True):
        with Image.open(ROOT / path) as picture:
            assert getattr(picture, "n_frames", 1) == n_frames, path
            assert picture.size == (96, 96), path
    assert set(items["n_frames"]) == {1, 8}


def test_files_are_sorted_and_have_lf_line_ends() -> None:
    items, captions = emoji.read_tables(ROOT)
    assert items["item_id"].is_monotonic_increasing
    assert captions["item_id"].is_monotonic_increasing
    for name in ("items.csv", "captions.csv"):
        assert b"\r" not in (ROOT / name).read_bytes()


def test_readme_gives_the_true_counts() -> None:
    items, captions = emoji.read_tables(ROOT)
    table = captions.merge(items[["item_id", "split"]], on="item_id")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for split, part in items.groupby("split"):
        kinds = table.loc[table["split"] == split, "kind"].value_counts()
        animated = int((part["n_frames"] > 1).sum())
        figures = [len(part), animated, len(part) - animated, part["group_id"].nunique()]
        figures += [kinds["name"], kinds["keyword"]]
        assert f"| {split} | " + " | ".join(map(str, figures)) + " |" in readme


def test_texts_that_look_like_missing_values_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(f"{ITEMS}a,images/a.webp,1,a,null,train,NA\n")
    (tmp_path / "captions.csv").write_text(f"{CAPTIONS}a.0,a,nan,name,en\na.1,a,None,name,en\n")
    items, captions = emoji.read_tables(tmp_path)
    assert items.loc[0, "unicode"] == "NA" and items.loc[0, "subgroup"] == "null"
    assert captions["text"].tolist() == ["nan", "None"]
    assert items["n_frames"].dtype == "int64"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{re.escape(str(tmp_path / 'items.csv'))}: no such file"):
        emoji.read_tables(tmp_path)


def test_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(f"{ITEMS}a,images/a.webp,1,a,s,train,A\n")
    (tmp_path / "captions.csv").write_text("caption_id,item_id,kind,language\na.0,a,name,en\n")
    with pytest.raises(DataError, match=r"captions\.csv: missing column text"):
        emoji.read_tables(tmp_path)


def test_wrong_frame_count_is_named_with_its_row(tmp_path: Path) -> None:
    rows = "a,images/a.webp,1,a,s,train,A\nb,images/b.webp,0,b,s,train,B\n"
    (tmp_path / "items.csv").write_text(ITEMS + rows)
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    with pytest.raises(DataError, match=r"items\.csv: row 3: n_frames is '0'"):
        emoji.read_tables(tmp_path)
