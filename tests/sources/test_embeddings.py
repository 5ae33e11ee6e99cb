"""Embeddings made elsewhere: both layouts, the cut of val, every fault that a folder may have."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data import FeatureStore, build_manifest, check_table, load_schema
from polymatch.errors import ConfigError, DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources import brings_features, embeddings, given_source, read_source
from polymatch.sources.given_arrays import lowest

WIDTH = 5
SIZES = {"train": 20, "val": 4, "test": 6}
ABOUT = {"encoder": "imagebind", "dataset": "few", "command": "test"}


def arrays(split, texts=None):
    rng = np.random.default_rng(list(SIZES).index(split))
    videos = rng.standard_normal((SIZES[split], WIDTH)).astype(np.float32)
    return videos, rng.standard_normal((texts or SIZES[split], WIDTH)).astype(np.float32)


def dump(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def write(folder, split, layout="npy", dtype=np.float32, ids=True, texts=None):
    """A folder as the seed or the published code leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    video, text = (array.astype(dtype) for array in arrays(split, texts))
    if layout == "npy":
        np.save(folder / "video_emb.npy", video)
        np.save(folder / "text_emb.npy", text)
    else:
        torch.save(torch.from_numpy(video), folder / "emb_video.pt")
        torch.save(torch.from_numpy(text), folder / "emb_text.pt")
    names = [f"{split}_video{i}" for i in range(len(video))]
    if ids:
        dump(folder / "video_ids.json", names)
    elif layout == "pt":
        dump(folder / "metadata.json", {"video_ids": [*names[:10], "...", *names[-10:]]})
    return names


def settings(root, val=None, **changes):
    folders = {"train": "train", "val": val, "test": "test"}
    raw = {"name": "few", "source": "embeddings", "root": str(root), "folders": folders}
    return DataSettings.model_validate(raw | changes)


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "train", "train")
    write(tmp_path / "test", "test")
    return tmp_path


def prepared(data):
    return build_manifest(*read_source(data), data.root, data.on_bad_item, pictures=False)


def imported(data, folder):
    """Prepare and import a data set: the manifest, captions, and both stores."""
    tables = prepared(data)
    stores = {name: folder / "out" / f"{name}.h5" for name in ("pooled", "captions")}
    embeddings.write_features(data, tables.manifest, tables.captions, stores, ABOUT)
    return tables, FeatureStore(stores["pooled"]), FeatureStore(stores["captions"])


@pytest.mark.parametrize(("layout", "ids"), [("npy", True), ("pt", True), ("pt", False)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_each_row_comes_back_under_its_id(tmp_path, layout, dtype, ids):
    for split in SIZES:
        write(tmp_path / split, split, layout, dtype, ids)
    tables, items, captions = imported(settings(tmp_path, "val"), tmp_path)
    check_table(tables.manifest, load_schema("manifest"), "manifest")
    check_table(tables.captions, load_schema("captions"), "captions")
    assert tables.manifest["split"].value_counts().to_dict() == SIZES
    of_split = tables.manifest.set_index("item_id")["split"]
    for split in SIZES:
        video, text = arrays(split)
        for row in range(len(video)):
            item = f"{split}_video{row}" if ids else f"{split}-{row:07d}"
            caption = f"{split}-text-{row:07d}"
            assert of_split[item] == split
            assert items.gather([item])[0] == pytest.approx(video[row].astype(dtype))
            assert captions.gather([caption])[0] == pytest.approx(text[row].astype(dtype))
    owner = tables.captions.set_index("caption_id")["item_id"]
    assert owner["test-text-0000003"] == ("test_video3" if ids else "test-0000003")
    assert items.attributes["encoder"] == "imagebind" and items.attributes["dataset"] == "few"
    assert not tables.captions["text"].duplicated().any()


def test_one_folder_of_each_layout_may_be_mixed(tmp_path):
    write(tmp_path / "train", "train", "npy")
    write(tmp_path / "test", "test", "pt", ids=False)
    tables, items, _ = imported(settings(tmp_path), tmp_path)
    assert len(items) == len(tables.manifest) == SIZES["train"] + SIZES["test"]


def test_a_tensor_of_bfloat16_or_in_the_old_form_is_read(tmp_path, root):
    video = torch.from_numpy(arrays("test")[0])
    for name in ("video_emb.npy", "text_emb.npy"):
        (root / "test" / name).unlink()
    torch.save(video.bfloat16(), root / "test/emb_video.pt")
    torch.save(video, root / "test/emb_text.pt", _use_new_zipfile_serialization=False)
    _, items, captions = imported(settings(root), tmp_path)
    assert items.gather(["test_video2"])[0] == pytest.approx(video[2].bfloat16().float())
    assert captions.gather(["test-text-0000002"])[0] == pytest.approx(video[2])


def test_several_texts_a_video_by_their_ids(root):
    names = write(root / "train", "train", texts=45)
    owners = [names[i % 20] for i in range(45)]
    dump(root / "train/text_ids.json", owners)
    dump(root / "train/texts.json", [f"clip {i // 2}" for i in range(45)])
    captions = prepared(settings(root)).captions
    of_train = captions[captions["caption_id"].str.startswith("train")]
    assert of_train["item_id"].tolist() == owners
    assert of_train["text"].tolist() == [f"clip {i // 2}" for i in range(45)]


@given(share=st.floats(0.01, 0.94), order=st.permutations(range(20)))
def test_the_cut_of_val_is_a_share_and_does_not_depend_on_order(share, order):
    ids = [f"video{i}" for i in range(20)]
    cut = lowest(ids, share)
    assert len(cut) == max(1, round(share * 20))
    assert lowest([ids[i] for i in order], share) == cut
    assert lowest(ids, min(0.99, share * 1.5)) >= cut


def test_without_a_folder_val_is_cut_off_train(root):
    manifest = prepared(settings(root, val_share=0.25)).manifest
    assert manifest["split"].value_counts().to_dict() == {"train": 15, "val": 5, "test": 6}
    assert manifest.loc[manifest["split"] == "val", "item_id"].str.startswith("train_").all()


def test_files_are_named_and_folders_may_be_absolute(root, tmp_path):
    data = settings("elsewhere", folders={"train": str(root / "train"), "test": str(root / "test")})
    names = [path.relative_to(root).as_posix() for path in embeddings.input_files(data)]
    of_each = ("video_emb.npy", "text_emb.npy", "video_ids.json")
    assert names == [f"{split}/{name}" for split in ("train", "test") for name in of_each]
    dump(root / "test/texts.json", [])
    assert root / "test/texts.json" in embeddings.input_files(data)


def replace_ids(root, split, change):
    path = root / split / "video_ids.json"
    dump(path, change(json.loads(path.read_text())))


def replace_array(root, name, change):
    np.save(root / name, change(np.load(root / name)))


def as_tensors(root, split, video, text):
    for name in ("video_emb.npy", "text_emb.npy"):
        (root / split / name).unlink()
    torch.save(video, root / split / "emb_video.pt")
    torch.save(text, root / split / "emb_text.pt")


TENSOR = torch.ones(6, WIDTH)
FAULTS = {
    "no folder": (
        lambda root: (root / "test").rename(root / "tests"),
        r"/test: no such folder \(data\.folders\.test\); .*video_emb\.npy.*emb_video\.pt",
    ),
    "empty folder": (
        lambda root: [path.unlink() for path in (root / "test").iterdir()],
        r"/test: no embeddings \(data\.folders\.test\); a folder of embeddings holds video_emb",
    ),
    "missing array": (
        lambda root: (root / "train/text_emb.npy").unlink(),
        r"train/text_emb\.npy: no such file \(data\.folders\.train\); .*or emb_video\.pt and emb",
    ),
    "missing ids": (
        lambda root: (root / "train/video_ids.json").unlink(),
        r"train/video_ids\.json: no such file",
    ),
    "both layouts": (
        lambda root: torch.save(TENSOR, root / "test/emb_video.pt"),
        r"/test: files of both layouts .*; keep one",
    ),
    "other numbers of rows": (
        lambda root: replace_array(root, "test/text_emb.npy", lambda a: a[:4]),
        r"text_emb\.npy: 4 rows, but video_emb\.npy has 6; .*text_ids\.json",
    ),
    "ids too few": (
        lambda root: replace_ids(root, "test", lambda ids: ids[:-1]),
        r"video_ids\.json: 5 entries for 6 videos",
    ),
    "text ids too few": (
        lambda root: dump(root / "test/text_ids.json", ["test_video0"]),
        r"text_ids\.json: 1 entries for 6 rows of text_emb\.npy",
    ),
    "texts too few": (
        lambda root: dump(root / "test/texts.json", ["a"]),
        r"texts\.json: 1 entries for 6 rows",
    ),
    "ids that are no list": (
        lambda root: dump(root / "test/video_ids.json", {"a": 1}),
        r"video_ids\.json: holds a dict, not a list",
    ),
    "an id that is no text": (
        lambda root: replace_ids(root, "test", lambda ids: [*ids[:-1], None]),
        r"video_ids\.json: entry 6 is None, not a text",
    ),
    "an empty id": (
        lambda root: replace_ids(root, "test", lambda ids: [*ids[:-1], ""]),
        r"video_ids\.json: entry 6 is empty",
    ),
    "broken JSON": (
        lambda root: (root / "test/video_ids.json").write_text('["a",'),
        r"video_ids\.json: not JSON in UTF-8",
    ),
    "an id twice": (
        lambda root: replace_ids(root, "test", lambda ids: [*ids[:-1], ids[1]]),
        r"id 'test_video1' is in rows 2 and 6; .*text_ids\.json",
    ),
    "an id in train and test": (
        lambda root: replace_ids(root, "test", lambda ids: [*ids[:-1], "train_video7"]),
        r"/test: 1 of its 6 ids are in .*/train too, e\.g\. 'train_video7'; what is tested",
    ),
    "one dimension": (
        lambda root: replace_array(root, "test/video_emb.npy", lambda a: a[0]),
        r"video_emb\.npy: shape \(5,\); embeddings are \[rows, width\]",
    ),
    "three dimensions": (
        lambda root: replace_array(root, "test/video_emb.npy", lambda a: a[:, None]),
        r"video_emb\.npy: shape \(6, 1, 5\)",
    ),
    "no rows": (
        lambda root: replace_array(root, "test/video_emb.npy", lambda a: a[:0]),
        r"video_emb\.npy: shape \(0, 5\) holds nothing",
    ),
    "whole numbers": (
        lambda root: replace_array(root, "test/video_emb.npy", lambda a: a.astype(int)),
        r"video_emb\.npy: holds int64, not floating-point",
    ),
    "objects": (
        lambda root: np.save(root / "test/video_emb.npy", np.array([{}] * 6), allow_pickle=True),
        r"video_emb\.npy: not a whole \.npy array",
    ),
    "other widths": (
        lambda root: replace_array(root, "test/text_emb.npy", lambda a: a[:, :4]),
        r"test/text_emb\.npy: width 4, but .*train/text_emb\.npy has 5",
    ),
    "truncated array": (
        lambda root: os.truncate(root / "test/video_emb.npy", 150),
        r"video_emb\.npy: not a whole \.npy array",
    ),
    "truncated header": (
        lambda root: os.truncate(root / "test/video_emb.npy", 20),
        r"video_emb\.npy: not a whole \.npy array",
    ),
    "empty file": (
        lambda root: os.truncate(root / "test/video_emb.npy", 0),
        r"video_emb\.npy: not a whole \.npy array",
    ),
    "a dict of tensors": (
        lambda root: as_tensors(root, "test", {"video": TENSOR}, TENSOR),
        r"emb_video\.pt: holds a dict, not a tensor; save the embeddings alone",
    ),
    "whole numbers in torch": (
        lambda root: as_tensors(root, "test", TENSOR.int(), TENSOR),
        r"emb_video\.pt: holds torch\.strided torch\.int32, not dense floating",
    ),
    "a sparse tensor": (
        lambda root: as_tensors(root, "test", TENSOR.to_sparse(), TENSOR),
        r"emb_video\.pt: holds torch\.sparse_coo",
    ),
    "a pickle with code": (
        lambda root: as_tensors(root, "test", pickle.PicklingError("x"), TENSOR),
        r"emb_video\.pt: holds .*PicklingError, more than tensors .* a pickle can run code",
    ),
    "a text": (
        lambda root: (
            as_tensors(root, "test", TENSOR, TENSOR),
            (root / "test/emb_video.pt").write_text("hello"),
        ),
        r"emb_video\.pt: not a whole file of torch\.save",
    ),
    "a truncated tensor": (
        lambda root: (
            as_tensors(root, "test", TENSOR, TENSOR),
            os.truncate(root / "test/emb_video.pt", 400),
        ),
        r"emb_video\.pt: not a whole file of torch\.save",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_a_folder_always_stops_with_one_line(root, spoil, message, on_bad_item):
    spoil(root)
    with pytest.raises(DataError, match=message) as caught:
        read_source(settings(root, on_bad_item=on_bad_item))
    assert "\n" not in str(caught.value)


def spoil_row(name, row, value):
    def spoil(root):
        array = np.load(root / name)
        array[row] = value
        np.save(root / name, array)

    return spoil


BAD_ROWS = {
    "NaN": (
        spoil_row("train/video_emb.npy", (3, 2), np.nan),
        r"items, row 4, 'train_video3': row 4 of .*train/video_emb\.npy holds NaN or inf",
        ("items", "train_video3"),
    ),
    "infinity": (
        spoil_row("test/video_emb.npy", (0, 0), -np.inf),
        r"items, row 21, 'test_video0': row 1 of .*test/video_emb\.npy holds NaN or inf",
        ("items", "test_video0"),
    ),
    "zero": (
        spoil_row("test/video_emb.npy", 5, 0),
        r"'test_video5': row 6 of .*video_emb\.npy is zero",
        ("items", "test_video5"),
    ),
    "NaN text": (
        spoil_row("test/text_emb.npy", (5, 1), np.nan),
        r"items, row 26, 'test_video5': has no captions.*\(and 1 other problems\)",
        ("items", "test_video5"),
    ),
    "unknown text id": (
        lambda root: dump(root / "test/text_ids.json", ["test_video0"] * 5 + ["nobody"]),
        r"'test_video1': has no captions",
        ("captions", "test-text-0000005"),
    ),
    "empty text": (
        lambda root: dump(root / "test/texts.json", ["a", "b", "", "d", "e", "f"]),
        r"'test_video2': has no captions",
        ("captions", "test-text-0000002"),
    ),
}


@pytest.mark.parametrize(("spoil", "message", "listed"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_stops_or_is_listed_and_left_out(root, tmp_path, spoil, message, listed):
    spoil(root)
    with pytest.raises(DataError, match=message):
        prepared(settings(root))
    tables, items, captions = imported(settings(root, on_bad_item="skip"), tmp_path)
    assert listed in set(zip(tables.problems["table"], tables.problems["id"], strict=True))
    check_table(tables.problems, load_schema("problems"), "problems")
    assert items.ids == tables.manifest["item_id"].tolist()
    assert captions.ids == tables.captions["caption_id"].tolist()
    assert listed[1] not in items.ids and listed[1] not in captions.ids


def test_without_ids_equal_embeddings_in_train_and_test_are_found(tmp_path):
    write(tmp_path / "train", "train", "pt", ids=False)
    write(tmp_path / "test", "test", "pt", ids=False)
    video = torch.load(tmp_path / "train/emb_video.pt")
    video[7] = torch.load(tmp_path / "test/emb_video.pt")[2]
    torch.save(video, tmp_path / "train/emb_video.pt")
    with pytest.raises(DataError, match=r"'train-0000007': row 8 of .* equals row 3 of .*test/emb"):
        prepared(settings(tmp_path))
    tables = prepared(settings(tmp_path, on_bad_item="skip"))
    assert "train-0000007" not in set(tables.manifest["item_id"])
    assert "test-0000002" in set(tables.manifest["item_id"])


@pytest.mark.parametrize(("train", "test"), [("train", "train"), ("train", "test/../train")])
def test_one_folder_for_train_and_test_is_refused(root, train, test):
    data = settings(root, folders={"train": train, "test": test})
    with pytest.raises(ConfigError, match=r"data\.folders\.test: .* is the folder of train too"):
        embeddings.input_files(data)


def test_what_the_source_needs_and_brings(root):
    with pytest.raises(ConfigError, match=r"data\.folders: is missing"):
        read_source(settings(root, folders=None))
    assert brings_features("embeddings") and not brings_features("emoji")
    assert given_source("embeddings") is embeddings
    with pytest.raises(ConfigError, match=r"encoder\.given: source 'emoji' has .*do: .*embeddings"):
        given_source("emoji")


def test_importing_holds_blocks_not_arrays(tmp_path):
    """A file of 300 MB, read and imported with less than half of that allocated at any time."""
    rows, width = 1 << 15, 1152
    for split, count in (("train", rows), ("test", 8)):
        folder = tmp_path / split
        folder.mkdir()
        video = np.lib.format.open_memmap(
            folder / "video_emb.npy", "w+", np.float64, (count, width)
        )
        video[:] = np.arange(1, count + 1)[:, None]
        np.save(folder / "text_emb.npy", np.ones((8, 3)))
        dump(folder / "video_ids.json", [f"{split}{i}" for i in range(count)])
        dump(folder / "text_ids.json", [f"{split}{i}" for i in range(8)])
    data, stores = settings(tmp_path), {"pooled": tmp_path / "pooled.h5"}
    tracemalloc.start()
    items, captions = embeddings.read(data)
    embeddings.write_features(data, items, captions, stores, ABOUT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < rows * width * 8 / 2
    store = FeatureStore(stores["pooled"])
    assert len(store) == rows + 8
    assert store.gather(["train9999"])[0] == pytest.approx(np.full(width, 10_000.0))


def test_the_tables_say_that_there_are_no_pictures(root):
    manifest = prepared(settings(root)).manifest
    assert manifest["path"].isna().all() and manifest["n_frames"].isna().all()
