"""Pictures and animated pictures as arrays, by Pillow; transparent parts are laid on white.

A thumbnail is made of a video too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from polymatch.data.video_files import is_video
from polymatch.data.videos import middle_frame
from polymatch.errors import DataError


def read_frames(path: Path | str) -> NDArray[np.uint8]:
    """All frames of a picture: [n, H, W, 3], RGB; n is 1 for a still one.

    Raises:
        DataError: no such file, not a picture, or broken.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            return np.stack([_on_white(frame) for frame in ImageSequence.Iterator(image)])
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_thumbnail(path: Path | str, size: int) -> NDArray[np.uint8]:
    """The middle frame of a picture or video, [h, w, 3], no side longer than ``size``; RGB.

    Raises:
        DataError: no such file, neither of them, or broken.
    """
    path = Path(path)
    frame = Image.fromarray(middle_frame(path) if is_video(path) else _middle_picture(path))
    frame.thumbnail((size, size))
    return np.asarray(frame)


def count_frames(path: Path | str) -> int:
    """Number of frames, from the header alone where the format has it there.

    Raises:
        DataError: no such file, or not a picture.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


# what Pillow's decoders raise on broken files, by format
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)


def _middle_picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            image.seek(getattr(image, "n_frames", 1) // 2)
            return _on_white(image)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such picture; put the file there or take out its row")
    return DataError(
        f"{path}: not a readable picture ({type(error).__name__}); "
        "replace the file or take out its row"
    )


def _on_white(frame: Image.Image) -> NDArray[np.uint8]:
    if "A" in frame.getbands() or "transparency" in frame.info:
        white = Image.new("RGBA", frame.size, "white")
        return np.asarray(Image.alpha_composite(white, frame.convert("RGBA")).convert("RGB"))
    return np.asarray(frame.convert("RGB"))
