"""``video2frames.txt``: which frames a video has, in order.

The file is one Python dict, ``{'video0': ['video0_0', 'video0_1'], ...}``. The published code runs
it (``eval``). Here it is taken apart entry by entry, and only what has the form of one, text and
list of texts, is read, with ``ast.literal_eval``: nothing in it can be executed, and it takes no
more than its own size in memory (read at once, 65 times as much).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from polymatch.errors import DataError

_MOST_BYTES = 1 << 26
_SHOWN = 40
_TEXT = r"""u?(?:'(?:[^'\\\n]++|\\.)*+'|"(?:[^"\\\n]++|\\.)*+")"""
# Nothing is tried twice (possessive), so that no file takes longer than its length.
_ENTRY = re.compile(
    rf"\s*+({_TEXT})\s*+:\s*+(\[\s*+(?:{_TEXT}\s*+(?:,\s*+{_TEXT}\s*+)*+(?:,\s*+)?+)?+\])\s*+"
)
_NEXT = re.compile(r"(,\s*+)?+(\}\s*+\Z)?+")


def read_video_frames(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each video's id and its frames' ids, in the order of the file.

    Raises:
        DataError: the file is missing, larger than 64 MB, not UTF-8, or something else than such a
            dict, from the entry on that is wrong; or a video is there twice.
    """
    text = _read(path)
    start = re.match(r"\s*+\{\s*+", text)
    if start is None:
        raise _fault(path, text, 0)
    place, seen = start.end(), set[str]()
    ended = _NEXT.fullmatch(text, place) is not None
    while not ended:
        entry = _ENTRY.match(text, place)
        following = entry and _NEXT.match(text, entry.end())
        if not entry or not following or not following[0]:
            raise _fault(path, text, entry.end() if entry else place)
        video, frames = _literal(path, text, entry)
        if video in seen:
            raise DataError(
                f"{path}: video {video!r} is there twice, again from character {place + 1} on; "
                "give every video all of its frames once"
            )
        seen.add(video)
        yield video, frames
        place, ended = following.end(), following[2] is not None
    if not seen:
        raise DataError(f"{path}: holds no video; make it again")


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise DataError(
                f"{path}: {size} bytes, more than the {_MOST_BYTES} that are read of such a file; "
                "is it the right one?"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; it says which frames each video has, as a Python dict"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None


def _literal(path: Path, text: str, entry: re.Match[str]) -> tuple[str, list[str]]:
    try:
        return ast.literal_eval(entry[1]), ast.literal_eval(entry[2])
    except (SyntaxError, ValueError):  # an escape that is none
        raise _fault(path, text, entry.start()) from None


def _fault(path: Path, text: str, place: int) -> DataError:
    found = repr(text[place : place + _SHOWN]) if place < len(text) else "the end of the file"
    return DataError(
        f"{path}: not a Python dict of videos, each with the list of its frames; at character "
        f"{place + 1} is {found}; write it as " + "{'video0': ['video0_0', 'video0_1'], ...}"
    )
