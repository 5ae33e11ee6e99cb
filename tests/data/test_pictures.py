"""Pictures as arrays: every frame, transparency on white, broken files named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from polymatch.data.pictures import count_frames, read_frames, read_thumbnail
from polymatch.errors import DataError

RNG = np.random.default_rng(0)


def picture(mode="RGB", size=(5, 4)):
    shape = (size[1], size[0], len(mode))
    return Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8), mode)


def test_a_still_picture_is_one_frame(tmp_path):
    one = picture()
    one.save(tmp_path / "p.png")
    frames = read_frames(tmp_path / "p.png")
    assert frames.dtype == np.uint8 and np.array_equal(frames, np.asarray(one)[None])
    assert count_frames(tmp_path / "p.png") == 1


def test_an_animation_has_all_its_frames_in_order(tmp_path):
    frames = [picture() for _ in range(5)]
    frames[0].save(
        tmp_path / "p.webp", save_all=True, append_images=frames[1:], lossless=True, duration=40
    )
    assert np.array_equal(
        read_frames(tmp_path / "p.webp"), np.stack([np.asarray(f) for f in frames])
    )
    assert count_frames(tmp_path / "p.webp") == 5


def test_transparent_parts_are_white(tmp_path):
    half = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    half.putpixel((1, 0), (0, 100, 200, 255))
    half.save(tmp_path / "p.png")
    assert read_frames(tmp_path / "p.png").tolist() == [[[[255, 255, 255], [0, 100, 200]]]]


def test_a_thumbnail_is_the_middle_frame_no_side_longer_than_asked(tmp_path):
    frames = [picture(size=(40, 20)) for _ in range(5)]
    path = tmp_path / "p.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, duration=40)
    assert np.array_equal(read_thumbnail(path, 40), np.asarray(frames[2]))
    assert read_thumbnail(path, 10).shape == (5, 10, 3)
    frames[0].save(tmp_path / "p.png")
    assert np.array_equal(read_thumbnail(tmp_path / "p.png", 64), np.asarray(frames[0]))


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    name = "p.tif" if mode == "CMYK" else "p.png"
    picture().convert(mode).save(tmp_path / name)
    assert read_frames(tmp_path / name).shape == (1, 4, 5, 3)


def test_missing_picture(tmp_path):
    for read in (read_frames, count_frames, lambda path: read_thumbnail(path, 8)):
        with pytest.raises(DataError, match=r"gone.png: no such picture; put the file there"):
            read(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "jpeg"])
def test_truncated_picture(tmp_path, suffix):
    whole = io.BytesIO()
    picture(size=(64, 64)).save(whole, suffix)
    path = tmp_path / f"half.{suffix}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(DataError, match=rf"half.{suffix}: not a readable picture"):
        read_frames(path)
    with pytest.raises(DataError, match=rf"half.{suffix}: not a readable picture"):
        read_thumbnail(path, 8)


def test_not_a_picture(tmp_path):
    (tmp_path / "p.png").write_text("hello")
    for read in (read_frames, count_frames):
        with pytest.raises(DataError, match=r"p.png: not a readable picture \(UnidentifiedImage"):
            read(tmp_path / "p.png")
