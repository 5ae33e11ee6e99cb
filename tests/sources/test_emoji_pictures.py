"""Sampling and encoding of emoji pictures."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from polymatch.errors import DataError
from polymatch.sources.emoji_pictures import encoded, sampled_frames


def _upstream(
    colours: list[tuple[int, int, int, int]], size: tuple[int, int] = (256, 256)
) -> bytes:
    frames = [Image.new("RGBA", size, colour) for colour in colours]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "WEBP", save_all=True, append_images=frames[1:], duration=40, lossless=True
    )
    return buffer.getvalue()


def _read(data: bytes) -> list[np.ndarray]:
    frames = []
    with Image.open(io.BytesIO(data)) as picture:
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")).astype(int))
    return frames


@given(st.lists(st.sampled_from(["white", "red", "navy"]), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_every_frame_comes_back_equal_neighbours_too(colours: list[str]) -> None:
    frames = [Image.new("RGB", (96, 96), colour) for colour in colours]
    back = _read(encoded(frames))
    assert len(back) == len(frames)
    for frame, read in zip(frames, back, strict=True):
        assert np.abs(np.asarray(frame).astype(int) - read).max() <= 6  # quality 70


@pytest.mark.parametrize("total", [2, 7, 8, 13, 72])
def test_frames_are_taken_at_the_middle_of_eighths(total: int) -> None:
    # every upstream frame has its own grey, so that what was taken can be read off
    greys = [(3 * i, 3 * i, 3 * i, 255) for i in range(total)]
    taken = [round(np.asarray(f).mean() / 3) for f in sampled_frames(_upstream(greys), "a.webp")]
    assert taken == [int((i + 0.5) * total / 8) for i in range(8)]


def test_a_still_has_one_frame_and_clear_parts_are_white() -> None:
    (frame,) = sampled_frames(_upstream([(0, 0, 0, 0)]), "a.webp")
    assert frame.size == (96, 96)
    assert np.asarray(frame).min() == 255


def test_a_tall_picture_is_padded_and_not_stretched() -> None:
    (frame,) = sampled_frames(_upstream([(0, 0, 0, 255)], size=(128, 256)), "a.webp")
    dark = (np.asarray(frame)[48, :, 0] < 128).sum()
    assert abs(int(dark) - 48) <= 2


def test_a_broken_picture_is_named() -> None:
    with pytest.raises(DataError, match=r"1f600\.webp: not a readable picture"):
        sampled_frames(b"RIFF0000WEBPVP8 nothing", "1f600.webp")
