"""Files of one's own: which count, what they may be called, and the lines of those with text."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from polymatch.data.video_files import VIDEO_SUFFIXES
from polymatch.errors import DataError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What people call a split, in lower case, and its name here."""


def walk(root: Path) -> list[str]:
    """All files below a folder, relative to it with ``/``, sorted; hidden ones do not count.

    Neither does what macOS puts into archives (``__MACOSX``). Links to folders are followed, each
    folder once.
    """
    seen = {os.path.realpath(root)}
    found = []
    for folder, below, names in os.walk(root, followlinks=True):
        kept = []
        for name in sorted(below):
            real = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118
            if counts(name) and real not in seen:
                seen.add(real)
                kept.append(name)
        below[:] = kept
        here = Path(folder).relative_to(root).as_posix()
        found += [posixpath.normpath(f"{here}/{name}") for name in names if counts(name)]
    return sorted(found)


def counts(path: str) -> bool:
    """Whether a relative path is neither hidden nor macOS's own.

    >>> [counts(path) for path in ("a/b.jpg", "a/._b.jpg", ".cache/b.jpg", "__MACOSX/b.jpg")]
    [True, False, False, False]
    """
    return not any(
        part.startswith(".") or part == "__MACOSX"
        for part in path.split("/")
        if part not in ("", ".", "..")
    )


def is_media(path: str) -> bool:
    """Whether a file is a picture or a clip by its suffix, in either case."""
    return PurePosixPath(path).suffix.lower() in PICTURES | VIDEO_SUFFIXES


def is_clip(path: str) -> bool:
    """Whether a file is a clip by its suffix, in either case."""
    return PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES


def without_suffix(path: str) -> str:
    """A path without its last suffix.

    >>> without_suffix("a.b/c.d.jpg")
    'a.b/c.d'
    """
    return path.removesuffix(PurePosixPath(path).suffix)


def path_inside(name: str, where: str) -> str:
    """A file name as a table writes it, relative with ``/``; backslashes of Windows count as ``/``.

    >>> path_inside(r".\\images\\a.jpg", "line 2")
    'images/a.jpg'

    Raises:
        DataError: it is empty, absolute or leaves the folder.
    """
    path = posixpath.normpath(name.strip().replace("\\", "/") or ".")
    if path == "." or "\0" in path:
        raise DataError(f"{where}: names no file; write its path or take out the row")
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        raise DataError(
            f"{where}: {name!r} is an absolute path; write it relative to the data set's folder"
        )
    if path.startswith("../") or path == "..":
        raise DataError(f"{where}: {name!r} leaves the data set's folder; move the file into it")
    return path


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file with their ends, without a byte order mark.

    Raises:
        DataError: no such file, or a line that is not UTF-8.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}: line {number} is not UTF-8 ({error.reason}); save it as UTF-8"
                ) from None


def folder_split(path: str) -> str:
    """The split whose name the first folder of a relative path has, or nothing.

    >>> [folder_split(path) for path in ("Validation/a.jpg", "images/a.jpg", "train.jpg")]
    ['val', '', '']
    """
    first, below, _ = path.partition("/")
    return SPLIT_NAMES.get(first.lower(), "") if below else ""


def refuse_files_beside_splits(splits: dict[str, str], root: Path) -> None:
    """Refuse files in no folder of a split where others are in one; ``splits`` by path."""
    named = {split for split in splits.values() if split}
    for path, split in splits.items():
        if named and not split:
            there = ", ".join(sorted(named))
            raise DataError(
                f"{root / path}: is in no folder of a split, but others are (in {there}); move it "
                "into train/, val/ or test/, or all of them out"
            )
