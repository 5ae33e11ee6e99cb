"""Upstream emoji pictures to the small ones of the embedded data set.

An upstream file is a still or an animated WebP of 256 x 256 px and up to about a hundred frames.
Ours has 8 frames (a still has 1) of 96 x 96 px on white. libwebp's animation encoder merges equal
consecutive frames, and a picture would come back with fewer than it went in with; so each frame is
encoded as a picture of its own and the frames are put into the container here (WebP container
specification, chunks VP8X, ANIM, ANMF). Any WebP reader opens the result.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

from polymatch.errors import DataError

FRAMES = 8
SIDE = 96
QUALITY = 70
FRAME_MS = 250


def sampled_frames(upstream: bytes, name: str) -> list[Image.Image]:
    """Return the frames (i + 0.5) n / 8 of an animation, or the one frame of a still.

    Args:
        upstream: the bytes of one upstream picture.
        name: its file name, for the message of an error.

    Raises:
        DataError: the picture cannot be read.
    """
    try:
        with Image.open(io.BytesIO(upstream)) as picture:
            total = int(getattr(picture, "n_frames", 1))
            numbers = [(2 * i + 1) * total // (2 * FRAMES) for i in range(FRAMES)]
            frames = []
            for number in numbers if total > 1 else [0]:
                picture.seek(number)
                frames.append(_flattened(picture.convert("RGBA")))
            return frames
    except (UnidentifiedImageError, OSError, EOFError) as error:
        raise DataError(f"{name}: not a readable picture ({error}); delete its archive") from error


def encoded(frames: Sequence[Image.Image]) -> bytes:
    """Return a WebP of exactly these frames: a still for one, an animation for more.

    >>> white = Image.new("RGB", (96, 96), "white")
    >>> Image.open(io.BytesIO(encoded([white] * 8))).n_frames
    8
    """
    stills = [_still(frame) for frame in frames]
    if len(stills) == 1:
        return stills[0]
    width, height = frames[0].size
    size = _uint24(width - 1) + _uint24(height - 1)
    body = _chunk(b"VP8X", struct.pack("<I", _HAS_ANIMATION) + size)
    body += _chunk(b"ANIM", struct.pack("<IH", _WHITE, 0))
    for still in stills:
        place = _uint24(0) + _uint24(0) + size + _uint24(FRAME_MS) + bytes([_DO_NOT_BLEND])
        body += _chunk(b"ANMF", place + still[_RIFF_HEADER:])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


_HAS_ANIMATION = 0x02
_WHITE = 0xFFFFFFFF
_DO_NOT_BLEND = 0x02
_RIFF_HEADER = 12


def _flattened(picture: Image.Image) -> Image.Image:
    side = max(picture.size)
    square = Image.new("RGBA", (side, side), "white")
    offset = ((side - picture.width) // 2, (side - picture.height) // 2)
    square.alpha_composite(picture, offset)
    return square.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _still(frame: Image.Image) -> bytes:
    buffer = io.BytesIO()
    frame.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def _chunk(kind: bytes, payload: bytes) -> bytes:
    padding = b"\0" * (len(payload) % 2)
    return kind + struct.pack("<I", len(payload)) + payload + padding


def _uint24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]
