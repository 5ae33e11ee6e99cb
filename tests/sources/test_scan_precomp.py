"""SCAN's precomputed sets: files as upstream saves them, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import check_table, load_schema
from polymatch.errors import ConfigError
from polymatch.sources import (
    brings_features,
    check_starts,
    given_source,
    given_stores,
    scan_precomp,
)
from polymatch.sources.precomp_files import open_precomp

from .precomp_examples import SPLITS, data, imported, prepared, regions, write, write_all


def test_images_and_captions_keep_their_order_and_splits(tmp_path):
    tables, store, problems = imported(data(write_all(tmp_path)), tmp_path / "out")
    check_table(tables.manifest, load_schema("manifest"), "manifest")
    check_table(problems, load_schema("problems"), "problems")
    assert not len(problems) and not len(tables.problems)
    assert tables.manifest["split"].tolist() == ["train"] * 8 + ["val"] * 3 + ["test"] * 4
    assert store.ids == tables.manifest["item_id"].tolist()
    assert store.ids[:2] == ["100", "101"] and store.ids[-1] == "903"
    assert (tables.manifest["group_id"] == tables.manifest["item_id"]).all()
    captions = tables.captions.set_index("caption_id")
    assert captions.index[:6].tolist() == ["100.0", "100.1", "100.2", "100.3", "100.4", "101.0"]
    assert captions.loc["902.3", ["item_id", "text", "kind"]].tolist() == [
        "902",
        "A picture of 902, said 3 times .",
        "sentence",
    ]
    expected = [regions(name, images) for name, (images, _) in SPLITS.items()]
    assert np.array_equal(store.read(), np.concatenate(expected))
    assert store.shape == (3, 5) and store.attributes["encoder"] == "butd"


@pytest.mark.parametrize("ids", ["caption", "image"])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_row_an_image_or_a_caption_is_told_by_the_count(tmp_path, ids, repeated, dtype):
    for name, (images, _) in SPLITS.items():
        write(tmp_path, name, images, repeated, ids, dtype)
    _, store, _ = imported(data(tmp_path), tmp_path / "out")
    expected = np.concatenate([regions(name, images) for name, (images, _) in SPLITS.items()])
    assert np.array_equal(store.read(), expected.astype(dtype).astype(np.float32))


def test_without_ids_images_are_called_by_their_numbers(tmp_path):
    tables, store, _ = imported(data(write_all(tmp_path, ids=None)), tmp_path / "out")
    assert store.ids[7:9] == ["train-0000007", "dev-0000000"]
    assert tables.captions["caption_id"].iloc[-1] == "test-0000003.4"
    assert [path.name for path in scan_precomp.input_files(data(tmp_path))] == [
        f"{name}_{what}" for name in SPLITS for what in ("ims.npy", "caps.txt")
    ]


def test_captions_keep_the_ids_that_came_with_them(tmp_path):
    write_all(tmp_path)
    (tmp_path / "test_capids.txt").write_text("".join(f"{700 + row}\n" for row in range(20)))
    (tmp_path / "dev_capids.txt").write_text("".join(f"{600 + row}\n" for row in range(15)))
    captions = prepared(data(tmp_path, {"val_images": 1})).captions.set_index("caption_id")
    assert captions.loc["711", "text"] == "A picture of 902, said 1 times ."
    assert captions.index[38:46].tolist() == ["107.3", "107.4", *map(str, range(600, 605)), "700"]
    assert tmp_path / "test_capids.txt" in scan_precomp.input_files(data(tmp_path))


@given(images=st.integers(1, 23), per_image=st.integers(1, 4), block=st.integers(1, 900))
@settings(max_examples=60)
def test_blocks_of_any_size_give_what_the_whole_array_holds(
    tmp_path_factory, images, per_image, block
):
    root = tmp_path_factory.mktemp("blocks")
    whole = regions("train", images)
    np.save(root / "x_ims.npy", whole.repeat(per_image, 0))
    (root / "x_caps.txt").write_text("a caption\n" * images * per_image)
    part = open_precomp(root, "x", "train", per_image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polymatch.sources.given_arrays._BLOCK_BYTES", block)
        blocks = [(first, rows.copy(), faults) for first, rows, faults in part.blocks()]
    assert [first for first, _, _ in blocks] == np.cumsum(
        [0, *(len(rows) for _, rows, _ in blocks[:-1])]
    ).tolist()
    assert np.array_equal(np.concatenate([rows for _, rows, _ in blocks]), whole)
    assert not any(fault for _, _, faults in blocks for fault in faults)
    # A block holds one image at least, and float64 copies of no more than the bytes allowed.
    assert all(
        len(rows) * 15 * 8 * per_image <= max(block, 120 * per_image) for _, rows, _ in blocks
    )


def test_the_first_images_of_val_are_used_and_the_others_not_even_read(tmp_path):
    write_all(tmp_path)
    array = np.load(tmp_path / "dev_ims.npy")
    array[10:] = np.nan
    np.save(tmp_path / "dev_ims.npy", array)
    tables, store, _ = imported(data(tmp_path, {"val_images": 2}), tmp_path / "out")
    assert tables.manifest["split"].value_counts()["val"] == 2
    assert "501" in store.ids and "502" not in store.ids
    assert scan_precomp.read(data(tmp_path, {"val_images": None}))[0]["split"].eq("val").sum() == 3
    assert data(tmp_path).precomp.val_images == 1000


def test_lines_are_stripped_as_bytes_like_the_published_loader_does(tmp_path):
    write_all(tmp_path)
    path = tmp_path / "test_caps.txt"
    lines = path.read_bytes().split(b"\n")
    lines[0] = b"  Un chien \xc3\xa0 c\xc3\xb4t\xc3\xa9\x0c d\x85\xe2\x80\xa6\r".replace(
        b"\x85", b""
    )
    path.write_bytes(b"\n".join(lines).rstrip(b"\n"))  # no line feed after the last one
    texts = prepared(data(tmp_path)).captions.set_index("caption_id")["text"]
    theirs = [line.strip().decode("utf-8") for line in path.open("rb")]
    assert texts[texts.index.str.startswith("90")].tolist() == theirs
    assert theirs[0] == "Un chien à côté\x0c d…"


def test_splits_are_those_that_the_settings_name(tmp_path):
    write_all(tmp_path)
    for path in list(tmp_path.glob("test_*")):
        path.rename(path.with_name(path.name.replace("test_", "testall_")))
    settings = data(tmp_path, {"test": "testall"})
    assert prepared(settings).manifest["split"].eq("test").sum() == 4
    assert given_stores(settings) == [
        "regions",
        "published/train",
        "published/dev",
        "published/testall",
    ]


def test_what_the_source_brings_and_which_models_it_serves():
    assert brings_features("scan_precomp") and given_source("scan_precomp") is scan_precomp
    check_starts("scan_precomp", {"saf": "regions"})
    check_starts("encoded_pairs", {"aligned": "embeddings", "mlp": "features"})
    with pytest.raises(ConfigError) as caught:
        check_starts("scan_precomp", {"saf": "regions", "mlp": "features"})
    assert str(caught.value) == (
        "models.mlp: starts from features, which needs pooled and captions, but source "
        "'scan_precomp' brings regions; take the entry out or use another source"
    )
    with pytest.raises(ConfigError) as caught:
        check_starts("embeddings", {"saf": "regions"})
    assert str(caught.value) == (
        "models.saf: starts from regions, which needs regions, but source 'embeddings' brings "
        "pooled and captions; take the entry out or use another source"
    )
