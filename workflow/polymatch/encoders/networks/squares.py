"""Frames as the squares that networks take; Pillow's resizing, exact to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def centre_square(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The short side of a frame [H, W, 3] resized (bicubic), the centre cut out: [side, side, 3].

    The same as torchvision's ``Resize(side, BICUBIC)`` and ``CenterCrop(side)``: the long side is
    rounded down, a half of what is over goes to the even pixel.

    >>> centre_square(np.zeros((30, 50, 3), np.uint8), 20).shape
    (20, 20, 3)
    """
    height, width = frame.shape[:2]
    short = min(height, width)
    size = (side * width // short, side * height // short)
    resized = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


def squashed(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A whole frame [H, W, 3] resized (bilinear) whatever its shape: [side, side, 3].

    The same as torchvision's ``Resize((side, side))``.

    >>> squashed(np.zeros((30, 50, 3), np.uint8), 20).shape
    (20, 20, 3)
    """
    resized = Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(resized)
