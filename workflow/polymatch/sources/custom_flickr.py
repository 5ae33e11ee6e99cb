"""Flickr8k and Flickr30K as their archives unpack.

Captions are in ``Flickr8k.token.txt`` or ``results_20130124.token``
(``1000268201_693b08cb0e.jpg#0<TAB>A child ...``), or as Kaggle's copies have them in
``captions.txt`` (``image,caption``) or ``results.csv`` (``image_name| comment_number| comment``).
Pictures are wherever a file of that name is. ``Flickr_8k.{train,dev,test}Images.txt`` beside the
captions give the splits; pictures that they do not list are not used, as is usual.

Two mistakes are in the files themselves. Five captions in ``Flickr8k.token.txt`` are of
``2258277193_586949ec62.jpg.1``, which the archive of pictures lacks: names that end in a number are
passed over where no such file is. In ``results.csv`` a row (``2199200615.jpg| 4   A dog runs across
the grass .``) lacks its second ``|``: number and words are parted by the spaces then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from polymatch.errors import DataError
from polymatch.settings.custom import ColumnSettings, CustomSettings
from polymatch.sources.custom_files import is_media, path_inside, text_lines, without_suffix
from polymatch.sources.custom_rows import Row
from polymatch.sources.custom_table import read_cells

TOKENS = ("Flickr8k.token.txt", "results_20130124.token", "results.csv", "captions.txt")

LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}

# How the files begin whose names others use too.
_HEADERS = {"results.csv": "image_name|", "captions.txt": "image,caption"}

_TOKEN = re.compile(r"([^\t]+)#(\d+)\t(.*)")
_UNPARTED = re.compile(r"(\d+)\s+(.+)")


class Line(NamedTuple):
    """One caption as such a file has it; ``number`` may be missing."""

    line: int
    picture: str
    number: str
    text: str


def token_files(root: Path, files: Sequence[str]) -> list[str]:
    """The files of captions, in the order of the names above."""
    paths = [PurePosixPath(path) for path in files]
    found = [path for name in TOKENS for path in paths if path.name == name and len(path.parts) < 4]
    return [
        path.as_posix()
        for path in found
        if path.name not in _HEADERS or _begins(root / path, _HEADERS[path.name])
    ]


def read_flickr(
    root: Path, table: str, files: Sequence[str], settings: CustomSettings
) -> Iterator[Row]:
    """The captions of a token file, of listed pictures where there are lists.

    Raises:
        DataError: a line is not as above, a list is missing or empty, a picture is in two lists, or
            a name is that of two files.
    """
    places = _Places(root, files, settings.files)
    lists = _read_lists((root / table).parent)
    described = set()
    for line in _lines(root / table):
        where = f"{root / table}, line {line.line}"
        picture = path_inside(line.picture, where)
        if lists and picture not in lists:
            continue
        if PurePosixPath(picture).suffix[1:].isdigit() and not places.there(picture):
            continue
        described.add(picture)
        yield Row(
            item_id=without_suffix(picture),
            path=places.find(picture, where),
            text=line.text,
            where=where,
            split=lists[picture][0] if lists else "",
            caption_id=f"{picture}#{line.number}" if line.number else "",
        )
    for picture, (split, where) in lists.items():
        if picture not in described:
            yield Row(without_suffix(picture), places.find(picture, where), None, where, split)


class _Places:
    """Where pictures are, by their names alone."""

    def __init__(self, root: Path, files: Sequence[str], folder: str | None) -> None:
        self._folder = PurePosixPath(folder or ".")
        self._root = root
        self._by_name: dict[str, list[str]] = {}
        for path in files:
            if is_media(path) and PurePosixPath(path).is_relative_to(self._folder):
                self._by_name.setdefault(PurePosixPath(path).name, []).append(path)

    def there(self, picture: str) -> bool:
        return picture in self._by_name

    def find(self, picture: str, where: str) -> str:
        """The path of a picture below the root; its mere name where there is none."""
        found = self._by_name.get(picture, [])
        if len(found) > 1:
            raise DataError(
                f"{where}: {picture} is there twice, as {found[0]} and {found[1]}; delete one copy "
                "or set data.custom.files"
            )
        return found[0] if found else (self._folder / picture).as_posix()


def _lines(path: Path) -> Iterator[Line]:
    if path.name == "captions.txt" or (path.suffix.lower() == ".csv" and not _piped(path)):
        for cells in read_cells(path, ColumnSettings()):
            for text in cells.captions:
                yield Line(cells.line, cells.file, "", text)
        return
    piped, seen = _piped(path), 0
    for number, raw in enumerate(text_lines(path), start=1):
        line = raw.strip("\r\n")
        if not line.strip() or (piped and number == 1):
            continue
        seen = number
        yield _piped_line(path, number, line) if piped else _token_line(path, number, line)
    if not seen:
        raise DataError(f"{path}: holds no captions")


def _token_line(path: Path, number: int, line: str) -> Line:
    parts = _TOKEN.fullmatch(line)
    if parts is None:
        raise DataError(
            f"{path}: line {number} is not PICTURE#NUMBER, a tab and a caption: {line[:60]!r}"
        )
    return Line(number, parts[1], parts[2], parts[3].strip())


def _piped_line(path: Path, number: int, line: str) -> Line:
    picture, *rest = (part.strip() for part in line.split("|", 2))
    if len(rest) == 1 and (parts := _UNPARTED.fullmatch(rest[0])):
        rest = [parts[1], parts[2]]
    if len(rest) != 2 or not rest[0].isdigit():
        raise DataError(f"{path}: line {number} is not picture| number| caption: {line[:60]!r}")
    return Line(number, picture, rest[0], rest[1].rstrip("| "))


def _piped(path: Path) -> bool:
    return _begins(path, _HEADERS["results.csv"])


def _begins(path: Path, header: str) -> bool:
    """Whether a file's first bytes are ``header``, after a byte order mark."""
    with path.open("rb") as file:
        start = file.read(3 + len(header)).removeprefix(b"\xef\xbb\xbf")
    return start.lower().startswith(header.encode())


def _read_lists(folder: Path) -> dict[str, tuple[str, str]]:
    """Picture -> its split and where that is said; empty where there are no lists."""
    there = [name for name in LISTS.values() if (folder / name).is_file()]
    if not there:
        return {}
    lists: dict[str, tuple[str, str]] = {}
    for split, name in LISTS.items():
        path = folder / name
        if name not in there:
            raise DataError(f"{path}: no such file, but {there[0]} is there; all three are needed")
        seen = False
        for number, line in enumerate(text_lines(path), start=1):
            picture = line.strip()
            if not picture:
                continue
            seen, where = True, f"{path}, line {number}"
            other = lists.setdefault(picture, (split, where))
            if other[0] != split:
                raise DataError(f"{where}: {picture} is in {other[1]} too; take it out of one")
        if not seen:
            raise DataError(f"{path}: lists no pictures; every split needs some")
    return lists
