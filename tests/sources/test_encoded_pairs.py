"""Pre-encoded pairs: raw and split files as upstream saves them, what becomes of them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import check_table, load_schema
from polymatch.sources import encoded_pairs

from .pair_examples import IMAGE, RAW, SPLIT, WIDTHS, data, imported, prepared, write


@pytest.fixture
def raw(tmp_path):
    for name, sizes in RAW.items():
        write(tmp_path, name, *sizes, dtype=torch.bfloat16)
    return tmp_path


@pytest.fixture
def split(tmp_path):
    for name, sizes in SPLIT.items():
        metadata = "val2017" if name == "val" else name
        write(tmp_path, name, *sizes, words=name == "val", metadata=metadata)
    return tmp_path


def counts(tables):
    return tables.manifest["split"].value_counts().to_dict()


def test_raw_files_become_items_with_their_captions(raw, tmp_path):
    tables, items, captions = imported(data(raw), tmp_path)
    assert counts(tables) == {"train": 16, "test": 4, "val": 5}
    assert items.ids == [str(i) for i in (*range(100, 120), *range(900, 905))]
    assert captions.ids[:4] == ["100-0", "100-1", "100-2", "101-0"]
    assert tables.captions["text"].iloc[61] == "a picture of 901"
    assert set(tables.captions["language"]) == {"en"}
    image = torch.load(raw / "train2017_image_embeddings.pt")
    text = torch.load(raw / "train2017_text_embeddings.pt")
    np.testing.assert_array_equal(items.gather(["107"])[0], image[21].numpy())
    np.testing.assert_array_equal(captions.gather(["107-2"])[0], text[23].float().numpy())
    assert items.attributes["revision"] == "google/siglip2-giant-opt-patch16-256"
    assert captions.attributes["revision"] == "intfloat/e5-mistral-7b-instruct"
    assert (tables.manifest["group_id"] == tables.manifest["item_id"]).all()
    check_table(tables.manifest, load_schema("manifest"), "manifest")


def test_split_files_keep_their_splits_and_val_the_metadata_of_before(split, tmp_path):
    pairs = {"train": "train", "val": "val", "test": "test"}
    tables, items, captions = imported(data(split, pairs), tmp_path)
    assert counts(tables) == {"train": 12, "val": 5, "test": 4}
    assert len(items) == 21 and len(captions) == 12 * 3 + 5 * 2 + 4 * 3
    texts = tables.captions.set_index("caption_id")["text"]
    assert texts["100-1"] == "100-1" and texts["900-1"] == "a picture of 901"
    names = [path.name for path in encoded_pairs.input_files(data(split, pairs))]
    assert "val2017_metadata.json" in names and len(names) == 9


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_floating_type_is_read_as_it_is(tmp_path, dtype):
    write(tmp_path, "train2017", 8, 2, 1, dtype=dtype)
    _, _, captions = imported(data(tmp_path, {"train": "train2017"}), tmp_path)
    text = torch.load(tmp_path / "train2017_text_embeddings.pt")
    assert text.dtype == dtype
    np.testing.assert_array_equal(captions.read(), text.float().numpy())


def test_captions_of_an_image_need_not_be_neighbours(raw, tmp_path):
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    path = raw / "train2017_metadata.json"
    about = json.loads(path.read_text())
    for key in ("image_ids", "captions"):
        about[key] = [about[key][row] for row in order]
    path.write_text(json.dumps(about))
    expected = {}
    for side in ("image", "text"):
        file = raw / f"train2017_{side}_embeddings.pt"
        expected[side] = torch.load(file)[order]
        torch.save(expected[side], file)
    tables, items, captions = imported(data(raw), tmp_path)
    assert len(items) == 25 and not len(tables.problems)
    for row in (0, 7, 59):
        caption_id, item_id = tables.captions.loc[row, ["caption_id", "item_id"]]
        assert item_id == str(about["image_ids"][row])
        found = items.gather([item_id])[0], captions.gather([caption_id])[0]
        np.testing.assert_array_equal(found[0], expected["image"][row].numpy())
        np.testing.assert_array_equal(found[1], expected["text"][row].float().numpy())


@given(st.floats(0.05, 0.8), st.floats(0.05, 0.8))
@settings(max_examples=20)
def test_the_cut_is_of_whole_images_whose_ids_hash_lowest(tmp_path_factory, test, val):
    root = tmp_path_factory.mktemp("cut")
    write(root, "train2017", 30, 1, 1)
    tables = prepared(data(root, {"train": "train2017", "test_share": test}, val_share=val))
    ids = [str(i) for i in range(1, 31)]
    order = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).digest())
    of_test = max(1, round(test * 30))
    of_val = max(1, round(val * (30 - of_test)))
    splits = tables.manifest.set_index("item_id")["split"]
    assert set(splits.index[splits == "test"]) == set(order[:of_test])
    assert set(splits.index[splits == "val"]) == set(order[of_test : of_test + of_val])


def test_the_published_draw_is_theirs(raw):
    """The documented draw: ids in order, seed 42, a permutation of which the end is test."""
    pairs = {"train": "train2017", "val": "val2017", "draw": "published", "test_share": 0.33}
    splits = prepared(data(raw, pairs)).manifest.set_index("item_id")["split"]
    np.random.seed(42)  # noqa: NPY002
    drawn = np.random.permutation(list(range(100, 120)))  # noqa: NPY002
    assert set(splits.index[splits == "test"]) == {str(image) for image in drawn[-6:]}


def test_an_image_is_held_and_stored_once_and_arrays_in_blocks(tmp_path, monkeypatch):
    """No block is larger than what the source promises, however long the file is."""
    write(tmp_path, "train2017", 40, 5, 1)
    sizes = []
    blocks = encoded_pairs.Rows.blocks

    def counted(self):
        for start, block in blocks(self):
            sizes.append(len(block))
            yield start, block

    monkeypatch.setattr("polymatch.sources.given_arrays._BLOCK_BYTES", 8 * WIDTHS[0] * 7)
    monkeypatch.setattr(encoded_pairs.Rows, "blocks", counted)
    _, items, captions = imported(data(tmp_path, {"train": "train2017"}), tmp_path)
    assert max(sizes) <= 7 * WIDTHS[0] // WIDTHS[1]
    assert len(items) == 40 and len(captions) == 200
    image = torch.load(tmp_path / IMAGE)
    np.testing.assert_array_equal(items.read(), image[::5].numpy())
