"""Items: videos and pictures are read alike, and checked before anything costs time."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from polymatch.data.items import check_item, read_item
from polymatch.data.manifest import build_manifest
from polymatch.data.pictures import read_frames
from polymatch.data.videos import sample_frames
from polymatch.errors import DataError

from ..video_examples import write_video


@pytest.fixture
def folder(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    write_video(tmp_path / "b.mp4", 20)
    return tmp_path


def corner(frames):
    assert len(frames) == 1
    return frames[:, :2, :3]


def test_a_video_gives_what_is_asked_and_a_picture_all(folder):
    assert np.array_equal(read_item(folder / "b.mp4", 7), sample_frames(folder / "b.mp4", 7))
    assert np.array_equal(read_item(folder / "a.webp", 3), read_frames(folder / "a.webp"))
    for name, n in (("b.mp4", 7), ("a.webp", 3)):
        got = read_item(folder / name, n, corner)
        assert np.array_equal(got, read_item(folder / name, n)[:, :2, :3])


def test_a_picture_with_another_number_of_frames(folder):
    for read in (read_item, check_item):
        with pytest.raises(DataError, match=r"a.webp has 3 frames, n_frames says 2"):
            read(folder / "a.webp", 2)


@pytest.mark.parametrize(("n_frames", "told"), [(None, "<NA>"), (0, "0"), (-1, "-1")])
def test_a_video_needs_a_number_of_frames(folder, n_frames, told):
    with pytest.raises(DataError, match=rf"is a video, n_frames says {told}; say how many of its"):
        check_item(folder / "b.mp4", n_frames)


def tables(paths, n_frames=16):
    ids = [f"v{number}" for number in range(len(paths))]
    splits = ["train", "val", "test"]
    items = pd.DataFrame({"item_id": ids, "path": paths, "n_frames": n_frames, "group_id": ids})
    items["split"] = [splits[number % 3] for number in range(len(ids))]
    captions = pd.DataFrame({"caption_id": ids, "item_id": ids, "text": "a man sings"})
    return items, captions.assign(kind="sentence", language="en")


def test_prepare_reads_no_more_of_a_video_than_its_header(folder):
    whole = (folder / "b.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[:-100])
    (folder / "text.mp4").write_text("hello")
    paths = ["b.mp4", "b.mp4", "b.mp4", "cut.mp4", "text.mp4", "gone.mp4", "a.webp"]
    items, captions = tables(paths)
    prepared = build_manifest(items, captions, folder, "skip")
    assert prepared.manifest["item_id"].tolist() == ["v0", "v1", "v2"]
    told = prepared.problems.set_index("id")["problem"]
    for item_id, why in {
        "v3": "cut off",
        "v4": "not a readable video",
        "v5": "no such video",
        "v6": "has 3 frames, n_frames says 16",
    }.items():
        assert why in told[item_id].iloc[0]
    with pytest.raises(DataError, match=r"items, row 4, 'v3': .*cut.mp4: not a readable video"):
        build_manifest(items, captions, folder)


def test_ten_thousand_videos_are_looked_at_in_well_under_a_minute(folder):
    items, captions = tables(["b.mp4"] * 300)
    start = time.perf_counter()
    build_manifest(items, captions, folder)
    assert (time.perf_counter() - start) * 10_000 / 300 < 60
