"""Frames in two steps against the image processors of transformers, to the last bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import (
    BitImageProcessorPil,
    CLIPImageProcessorPil,
    EfficientNetImageProcessorPil,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    ViTImageProcessorPil,
)

from polymatch.encoders.networks.pictures import Pictures
from polymatch.errors import ConfigError

SQUARE = {"height": 40, "width": 40}
PROCESSORS = [
    SiglipImageProcessorPil(size=SQUARE, resample=2),
    SiglipImageProcessorPil(size={"height": 30, "width": 50}),
    CLIPImageProcessorPil(size={"shortest_edge": 40}, crop_size=SQUARE),
    CLIPImageProcessorPil(size={"shortest_edge": 50}, crop_size={"height": 44, "width": 32}),
    CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=SQUARE),
    EfficientNetImageProcessorPil(size=SQUARE, rescale_offset=True, rescale_factor=1 / 127.5),
    EfficientNetImageProcessorPil(size=SQUARE, do_center_crop=True, crop_size=SQUARE),
    BitImageProcessorPil(size={"shortest_edge": 40}, crop_size=SQUARE, image_std=[0.1, 0.2, 0.3]),
    ViTImageProcessorPil(size=SQUARE, do_normalize=False),
    ViTImageProcessorPil(size=SQUARE, do_rescale=False, do_normalize=False),
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PROCESSORS),
    st.tuples(st.integers(8, 130), st.integers(8, 130)),
    st.integers(0, 2**32 - 1),
)
def test_both_steps_are_the_processors_own_work(processor, size, seed):
    pictures = Pictures(processor, "here")
    frames = np.random.default_rng(seed).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    found = pictures.tensor(pictures.prepare(frames), torch.device("cpu"))
    images = [Image.fromarray(frame) for frame in frames]
    own = processor(images=images, return_tensors="pt")["pixel_values"]
    assert found.dtype == torch.float32
    assert torch.equal(found, own.float())


def test_prepared_frames_stay():
    """Also where the crop is smaller than the picture was, so that twice would crop twice."""
    pictures = Pictures(PROCESSORS[3], "here")
    frames = np.random.default_rng(0).integers(0, 256, (3, 44, 32, 3), dtype=np.uint8)
    prepared = pictures.prepare(frames)
    assert prepared.shape == (3, 44, 32, 3) and prepared.dtype == np.uint8
    assert not np.array_equal(prepared, frames)
    assert pictures.prepare(prepared) is prepared
    assert np.array_equal(pictures.prepare(prepared[1:]), prepared[1:])


def test_usual_frames_may_be_prepared_twice():
    """Where the crop takes all of one side, also if the array was copied on its way."""
    for processor in (PROCESSORS[0], PROCESSORS[2]):
        pictures = Pictures(processor, "here")
        frames = np.random.default_rng(0).integers(0, 256, (2, 70, 90, 3), dtype=np.uint8)
        copied = np.array(pictures.prepare(frames))
        np.testing.assert_array_equal(pictures.prepare(copied), copied)


def test_frames_do_not_depend_on_their_neighbours():
    pictures = Pictures(PROCESSORS[2], "here")
    frames = np.random.default_rng(0).integers(0, 256, (5, 70, 90, 3), dtype=np.uint8)
    together = pictures.prepare(frames)
    for place, frame in enumerate(frames):
        np.testing.assert_array_equal(together[place], pictures.prepare(frame[None])[0])


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        (
            CLIPImageProcessorPil(size={"shortest_edge": 40}, do_center_crop=False),
            r"models/x: its CLIPImageProcessorPil does not give pictures of one size that are "
            r"resized, cropped and scaled \(sizes \[\(3, 40, 53\), \(3, 53, 40\)\]\)$",
        ),
        (
            SiglipImageProcessorPil(size=SQUARE, do_pad=True, pad_size={"height": 48, "width": 48}),
            r"models/x: its SiglipImageProcessorPil does not give pictures of one size",
        ),
        (
            Siglip2ImageProcessorPil(patch_size=8, max_num_patches=25),
            r"models/x: its Siglip2ImageProcessorPil does not give pictures of one size",
        ),
    ],
)
def test_processors_that_do_something_else(processor, said):
    with pytest.raises(ConfigError, match=said):
        Pictures(processor, "models/x")


def test_threads_prepare_side_by_side():
    pictures = Pictures(PROCESSORS[2], "here")
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (2, 50 + i, 90, 3), dtype=np.uint8) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(pictures.prepare, clips))
    for found, clip in zip(together, clips, strict=True):
        np.testing.assert_array_equal(found, pictures.prepare(clip))
