"""BigFile data sets: files as Dual Encoding hands them out, and what becomes of them."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import check_table, load_schema
from polymatch.errors import ConfigError
from polymatch.sources import bigfile, brings_features, check_starts, given_source, given_stores

from .bigfile_examples import (
    FEATURES,
    VIDEOS,
    data,
    frame_names,
    imported,
    lengths,
    numbers_of,
    prepared,
    write,
)


def frames_of(store, video):
    rows, counts = store.gather_ragged([video])
    assert counts.tolist() == [len(rows)]
    return rows


@pytest.mark.parametrize("shuffled", [False, True])
def test_videos_keep_their_frames_order_and_splits(tmp_path, shuffled):
    tables, store, problems = imported(data(write(tmp_path, shuffled=shuffled)), tmp_path / "out")
    check_table(tables.manifest, load_schema("manifest"), "manifest")
    check_table(tables.captions, load_schema("captions"), "captions")
    check_table(problems, load_schema("problems"), "problems")
    assert not len(problems) and not len(tables.problems)
    splits = {video: split for split, part in VIDEOS.items() for video in part if split}
    assert dict(zip(tables.manifest["item_id"], tables.manifest["split"], strict=True)) == splits
    assert store.ids == list(splits) == tables.manifest["group_id"].tolist()
    assert store.ragged and store.dim == 5 and store.attributes["encoder"] == "resnext"
    for video, count in lengths().items():
        if video in splits:
            expected = numbers_of(frame_names(video, count)).astype(np.float32)
            assert frames_of(store, video).tobytes() == expected.tobytes()


def test_a_caption_belongs_to_what_stands_before_the_first_mark(tmp_path):
    captions = prepared(data(write(tmp_path))).captions.set_index("caption_id")
    assert captions.index[:3].tolist() == ["video0#0", "video0#enc#1", "video1#0"]
    assert captions.loc["video6#enc#1", ["item_id", "text", "kind", "language"]].tolist() == [
        "video6",
        "a man sings about video6, 1",
        "sentence",
        "en",
    ]


def test_lines_may_have_other_white_space_and_captions_other_orders(tmp_path):
    path = write(tmp_path) / "TextData/msrvtt10kval.caption.txt"
    path.write_bytes(b"  video4#1\tun caf\xc3\xa9 \r\nvideo3#0  two  words\nvideo4#0 x")
    tables = prepared(data(tmp_path))
    val = tables.captions[tables.captions["item_id"].isin(["video3", "video4"])]
    assert val["caption_id"].tolist() == ["video4#1", "video3#0", "video4#0"]
    assert val["text"].tolist() == ["un café", "two  words", "x"]
    assert tables.manifest["item_id"].tolist()[3:5] == ["video4", "video3"]


@given(
    counts=st.lists(st.integers(1, 6), min_size=3, max_size=12),
    block=st.integers(1, 200),
    shuffled=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_any_lengths_and_any_blocks_give_every_frame_bit_for_bit(
    tmp_path_factory, counts, block, shuffled
):
    root = tmp_path_factory.mktemp("ragged")
    named = {f"v{number}": count for number, count in enumerate(counts)}
    videos = {"train": named, "val": {"x": 1}, "test": {"y": 2}}
    write(root, videos, shuffled=shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polymatch.sources.bigfile._BLOCK_BYTES", block)
        _, store, _ = imported(data(root), root / "out")
    assert np.diff(store.offsets).tolist() == [*counts, 1, 2]
    ids = [frame for video, count in lengths(videos).items() for frame in frame_names(video, count)]
    rows, _ = store.read_ragged()
    assert rows.tobytes() == numbers_of(ids).astype(np.float32).tobytes()


def test_a_video_longer_than_a_block_is_never_held_whole(tmp_path, monkeypatch):
    """64 MB of one video through blocks of 1 MB."""
    monkeypatch.setattr("polymatch.sources.bigfile._BLOCK_BYTES", 1 << 20)
    frames, width = 1 << 14, 1 << 10
    root = write(tmp_path)
    folder, ids = root / FEATURES, [f"f{number}" for number in range(frames)]
    with (folder / "feature.bin").open("wb") as file:
        for start in range(0, frames, 4096):
            rows = np.arange(start, start + 4096, dtype="<f4") + 1
            file.write(rows.repeat(width).tobytes())
    (folder / "id.txt").write_text("\n".join(ids))
    (folder / "shape.txt").write_text(f"{frames} {width}")
    one_each = {video: [ids[number]] for number, video in enumerate(lengths())}
    (folder / "video2frames.txt").write_text(str(one_each | {"video4": ids[8:]}))
    tracemalloc.start()
    try:
        _, store, _ = imported(data(root), tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert np.diff(store.offsets).tolist() == [1, 1, 1, 1, frames - 8, 1, 1]
    with h5py.File(store.path, "r") as file:
        assert np.array_equal(file["features"][4:-2, 7], np.arange(8, frames) + 1)


def test_names_of_folders_and_files_come_from_the_settings(tmp_path):
    root = write(tmp_path)
    (root / FEATURES).rename(root / "FeatureData/c3d")
    (root / "TextData/msrvtt10ktest.caption.txt").rename(root / "TextData/tgif.caption.txt")
    settings = data(root, {"features": "FeatureData/c3d", "test": "tgif"})
    assert prepared(settings).manifest["split"].eq("test").sum() == 2
    below = [str(path.relative_to(root)) for path in bigfile.input_files(settings)]
    assert below == [
        *(f"FeatureData/c3d/{name}" for name in ("feature.bin", "id.txt", "shape.txt")),
        "FeatureData/c3d/video2frames.txt",
        "TextData/msrvtt10ktrain.caption.txt",
        "TextData/msrvtt10kval.caption.txt",
        "TextData/tgif.caption.txt",
    ]


def test_what_the_source_brings_and_which_models_it_serves(tmp_path):
    assert brings_features("bigfile") and given_source("bigfile") is bigfile
    assert given_stores(data(tmp_path)) == ["frames"]
    check_starts("bigfile", {"dual_encoding": "frames"})
    with pytest.raises(ConfigError) as caught:
        check_starts("bigfile", {"dual_encoding": "frames", "saf": "regions"})
    assert str(caught.value) == (
        "models.saf: starts from regions, which needs regions, but source 'bigfile' brings frames; "
        "take the entry out or use another source"
    )
    with pytest.raises(ConfigError) as caught:
        check_starts("embeddings", {"dual_encoding": "frames"})
    assert str(caught.value) == (
        "models.dual_encoding: starts from frames, which needs frames, but source 'embeddings' "
        "brings pooled and captions; take the entry out or use another source"
    )
