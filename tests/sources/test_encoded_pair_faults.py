"""Pre-encoded pairs: every fault that files and rows may have, with the message that people see."""

from __future__ import annotations

import json
import os

import pytest
import torch

from polymatch.data import check_table, load_schema
from polymatch.errors import ConfigError, DataError
from polymatch.sources import brings_features, encoded_pairs, given_source, read_source

from .pair_examples import IMAGE, RAW, TEXT, data, imported, prepared, write


@pytest.fixture
def raw(tmp_path):
    for name, sizes in RAW.items():
        write(tmp_path, name, *sizes, dtype=torch.bfloat16)
    return tmp_path


def edit(name, **changes):
    def spoil(root):
        path = root / f"{name}_metadata.json"
        about = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({k: v for k, v in about.items() if v is not None}))

    return spoil


def replaced(name, value):
    return lambda root: torch.save(value, root / name)


FAULTS = {
    "no images": (
        lambda root: (root / IMAGE).unlink(),
        r"train2017_image_embeddings\.pt: no such file \(data\.pairs\.train\); pre-encoded pairs",
    ),
    "no texts": (
        lambda root: (root / "val2017_text_embeddings.pt").unlink(),
        r"val2017_text_embeddings\.pt: no such file \(data\.pairs\.val\)",
    ),
    "no metadata": (
        lambda root: (root / "train2017_metadata.json").unlink(),
        r"train2017_metadata\.json: no such file .*; its image_ids say which rows are of one image",
    ),
    "no ids": (edit("train2017", image_ids=None), r"train2017_metadata\.json: has no image_ids"),
    "broken metadata": (
        lambda root: (root / "val2017_metadata.json").write_text("{"),
        r"val2017_metadata\.json: not JSON in UTF-8",
    ),
    "ids that do not fit": (
        edit("train2017", image_ids=[1, 2]),
        r"metadata\.json, image_ids: 2 entries for 60 rows of train2017_image_embeddings\.pt; one",
    ),
    "captions that do not fit": (
        edit("train2017", captions=["a"]),
        r"metadata\.json, captions: 1 entries for 60 rows",
    ),
    "an id that is none": (
        edit("val2017", image_ids=[1, None, *range(2, 10)]),
        r"metadata\.json, image_ids: entry 2 is None, not a text",
    ),
    "an empty id": (
        edit("val2017", image_ids=["a", "", *"cdefghij"]),
        r"metadata\.json, image_ids: entry 2 is empty; every row needs the id of its image",
    ),
    "an image in two splits": (
        edit("val2017", image_ids=[900] * 8 + [103] * 2),
        r"val2017_metadata\.json: 1 of its 2 ids are in .*/train2017_metadata\.json too, e\.g",
    ),
    "another encoder": (
        edit("val2017", image_model="clip"),
        r"val2017_metadata\.json: image_model is 'clip', but .*train2017_metadata\.json says 'goog",
    ),
    "fewer texts": (
        replaced(TEXT, torch.ones(59, 4)),
        r"train2017_text_embeddings\.pt: 59 rows, but train2017_image_embeddings\.pt has 60; row i",
    ),
    "another width": (
        replaced("val2017_text_embeddings.pt", torch.ones(10, 5)),
        r"val2017_text_embeddings\.pt: width 5, but .*train2017_text_embeddings\.pt has 4; both",
    ),
    "no tensor": (
        replaced(IMAGE, {"images": torch.ones(60, 6)}),
        r"train2017_image_embeddings\.pt: holds a dict, not a tensor",
    ),
    "whole numbers": (
        replaced(IMAGE, torch.ones(60, 6).int()),
        r"holds torch\.strided torch\.int32, not dense floating",
    ),
    "one dimension": (
        replaced(IMAGE, torch.ones(60)),
        r"image_embeddings\.pt: shape \(60,\); embed",
    ),
    "a truncated file": (
        lambda root: os.truncate(root / IMAGE, 500),
        r"train2017_image_embeddings\.pt: not a whole file of torch\.save",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_a_file_always_stops_with_one_line(raw, spoil, message, on_bad_item):
    spoil(raw)
    with pytest.raises(DataError, match=message) as caught:
        read_source(data(raw, on_bad_item=on_bad_item))
    assert "\n" not in str(caught.value)


def spoil_row(name, row, value):
    def spoil(root):
        tensor = torch.load(root / name)
        tensor[row] = value
        torch.save(tensor, root / name)

    return spoil


BAD_ROWS = {
    "a repeated row that differs": (
        spoil_row(IMAGE, (22, 1), 9.0),
        r"items, row 8, '107': row 23 of .*image_embeddings\.pt differs from row 22, though both",
        ("items", "107"),
    ),
    "NaN": (
        spoil_row(IMAGE, (21, 1), torch.nan),
        r"items, row 8, '107': row 22 of .*image_embeddings\.pt holds NaN or infinity; make it",
        ("items", "107"),
    ),
    "zero": (
        spoil_row("val2017_image_embeddings.pt", slice(0, 2), 0),
        r"items, row 21, '900': row 1 of .*val2017_image_embeddings\.pt is zero, without a direct",
        ("items", "900"),
    ),
    "infinite text": (
        spoil_row(TEXT, (4, 0), torch.inf),
        r"captions, row 5, '101-1': row 5 of .*text_embeddings\.pt holds NaN or infinity; make it",
        ("captions", "101-1"),
    ),
    "zero text": (
        spoil_row(TEXT, 0, 0),
        r"captions, row 1, '100-0': row 1 of .*text_embeddings\.pt is zero",
        ("captions", "100-0"),
    ),
    "empty caption": (
        edit("val2017", captions=["", *"bcdefghij"]),
        r"captions, row 61, '900-0': empty caption of item '900'",
        ("captions", "900-0"),
    ),
}


@pytest.mark.parametrize(("spoil", "message", "listed"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_stops_or_is_listed_and_left_out(raw, tmp_path, spoil, message, listed):
    spoil(raw)
    with pytest.raises(DataError, match=message):
        prepared(data(raw))
    tables, items, captions = imported(data(raw, on_bad_item="skip"), tmp_path)
    assert listed in set(zip(tables.problems["table"], tables.problems["id"], strict=True))
    check_table(tables.problems, load_schema("problems"), "problems")
    assert items.ids == tables.manifest["item_id"].tolist()
    assert captions.ids == tables.captions["caption_id"].tolist()
    assert listed[1] not in items.ids and listed[1] not in captions.ids


def test_one_name_for_two_splits_is_refused(raw):
    with pytest.raises(ConfigError, match=r"data\.pairs\.test: 'val2017' is that of val too; a he"):
        read_source(data(raw, {"train": "train2017", "val": "val2017", "test": "val2017"}))


def test_a_cut_that_leaves_nothing_for_train_is_refused(tmp_path):
    write(tmp_path, "train2017", 2, 2, 1)
    with pytest.raises(ConfigError, match=r"none of the 2 images of .* is left for train after te"):
        read_source(data(tmp_path, {"train": "train2017"}))


def test_what_the_source_needs_and_brings(raw):
    with pytest.raises(ConfigError, match=r"data\.pairs: is missing; source 'encoded_pairs' needs"):
        read_source(data(raw).model_copy(update={"pairs": None}))
    assert brings_features("encoded_pairs") and given_source("encoded_pairs") is encoded_pairs
