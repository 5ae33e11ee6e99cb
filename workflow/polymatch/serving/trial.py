"""``python -m polymatch.serving.trial``: read a stranger's file where that can do no harm.

The process may have so much memory, so much time of a processor, and writes no file. It reads what
the search would read; what it survives, the search survives. Its last word is on stdout, its status
is 1 where the file cannot be used.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PICTURES = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
"""What Pillow reads by itself; PostScript, which it has another program read, is not among them."""


def main(asked: dict[str, Any]) -> int:
    """Try one file; see :func:`polymatch.serving.uploads.tried` for what is asked."""
    _bound(int(asked["memory"]), max(1, round(asked["seconds"])))
    from polymatch.errors import DataError

    path = Path(asked["path"])
    try:
        problem = _problem(path, asked["n_frames"], asked["pixels"])
    except DataError as error:
        problem = str(error).replace(str(path), "the file")
    except (MemoryError, OSError) as error:
        short = isinstance(error, MemoryError)
        problem = "reading the file takes too much memory; send a smaller one" if short else ""
        problem = problem or f"the file cannot be read ({type(error).__name__}); send another one"
    if problem:
        print(problem)
    return int(bool(problem))


def _bound(memory: int, seconds: int) -> None:
    limits = (("AS", memory), ("CPU", seconds), ("FSIZE", 0), ("CORE", 0))
    for name, most in limits:
        # Not every system knows every limit; the time is kept from outside, too.
        with suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _problem(path: Path, n_frames: int, pixels: int) -> str:
    """What is wrong with the file; nothing where it can be used."""
    from polymatch.data.pictures import read_frames
    from polymatch.data.video_files import is_video, opened, video_stream
    from polymatch.data.videos import sample_frames

    if is_video(path):
        with opened(path) as container:
            stream = video_stream(path, container)
            one = stream.codec_context.width * stream.codec_context.height
        if one > pixels:
            return _too_many(one, pixels)
        sample_frames(path, n_frames, lambda frame: frame[:, ::16, ::16])
        return ""
    kind, number = _picture(path)
    if kind not in PICTURES:
        return (
            "the file is no picture (PNG, JPEG, WebP, GIF, AVIF, BMP, TIFF), and its name does not "
            "end as a clip's does (.mp4, .webm, .mov, ...); send another one"
        )
    if number > pixels:
        return _too_many(number, pixels)
    read_frames(path)
    return ""


def _picture(path: Path) -> tuple[str | None, int]:
    """Format, and pixels of all frames, by the header; no format where it is no picture."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.format, image.width * image.height * getattr(image, "n_frames", 1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None, 0


def _too_many(found: int, allowed: int) -> str:
    return f"the file has {found:,} pixels; {allowed:,} are allowed: send a smaller one"


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
