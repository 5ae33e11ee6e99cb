"""A folder of pictures or clips with their captions beside them.

Either a text file of the same name beside each (``a.jpg``, ``a.txt``), a caption a line, or tables
``metadata.csv`` or ``metadata.jsonl`` in the pattern of Hugging Face's imagefolder (``file_name``
and ``text``), which speak of files in their own folder and below. Folders ``train``, ``val`` and
``test`` right below the root decide the split, where there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from polymatch.errors import DataError
from polymatch.settings.custom import CustomSettings
from polymatch.sources.custom_files import (
    folder_split,
    is_media,
    path_inside,
    refuse_files_beside_splits,
    text_lines,
    without_suffix,
)
from polymatch.sources.custom_rows import Row
from polymatch.sources.custom_table import read_cells

TABLES = ("metadata.csv", "metadata.jsonl")

# Text files that people leave beside their data.
_NOT_CAPTIONS = frozenset({"readme", "license", "licence", "copying", "notice"})


def caption_files(files: Sequence[str]) -> list[str]:
    """The text files that belong to a picture or clip of the same name."""
    media = {without_suffix(path) for path in files if is_media(path)}
    return [path for path in _text_files(files) if without_suffix(path) in media]


def tables(files: Sequence[str]) -> list[str]:
    """The tables of an imagefolder."""
    return [path for path in files if PurePosixPath(path).name.lower() in TABLES]


def read_folder(root: Path, files: Sequence[str], settings: CustomSettings) -> Iterator[Row]:
    """The captions of the files below a folder, and files without any.

    Raises:
        DataError: captions are in text files and in tables, a folder of a split is empty, a file
            lies beside such folders, or a text file or table is broken.
    """
    media = [path for path in files if is_media(path)]
    _refuse_empty_split(root, media)
    splits = {path: folder_split(path) for path in media}
    refuse_files_beside_splits(splits, root)
    found, beside = tables(files), caption_files(files)
    if found and beside:
        raise DataError(
            f"{root}: captions are in {found[0]} and in {beside[0]}; which of them count cannot "
            "be known: keep one kind"
        )
    rows = _of_tables(root, found, settings) if found else _of_text_files(root, files)
    described = set()
    for row in rows:
        described.add(row.path)
        yield row
    for path in media:
        if path not in described:
            yield Row(without_suffix(path), path, None, str(root / path), splits[path])


def _text_files(files: Sequence[str]) -> list[str]:
    paths = [PurePosixPath(path) for path in files]
    return [
        path.as_posix()
        for path in paths
        if path.suffix.lower() == ".txt" and path.stem.lower() not in _NOT_CAPTIONS
    ]


def _of_text_files(root: Path, files: Sequence[str]) -> Iterator[Row]:
    of_stem: dict[str, list[str]] = {}
    for path in files:
        if is_media(path):
            of_stem.setdefault(without_suffix(path), []).append(path)
    read: dict[str, str] = {}
    for path in _text_files(files):
        item, where = without_suffix(path), str(root / path)
        if read.setdefault(item, where) != where:
            raise DataError(f"{where}: captions of {item} are in {read[item]} already; keep one")
        texts = [line.strip() for line in text_lines(root / path)]
        # A file without any line has one empty caption, so that it is told of.
        lines = [(n, text) for n, text in enumerate(texts, start=1) if text] or [(1, "")]
        for number, text in lines:
            at = f"{where}, line {number}"
            if item not in of_stem:
                problem = f"{at}: there is no picture and no clip called {item}; add it or delete "
                yield Row(item, "", text, at, problem=problem + "the text file")
            for file in of_stem.get(item, ()):
                yield Row(item, file, text, at, folder_split(file))


def _of_tables(root: Path, found: Sequence[str], settings: CustomSettings) -> Iterator[Row]:
    for table in found:
        folder = PurePosixPath(table).parent
        for cells in read_cells(root / table, settings.columns):
            where = f"{root / table}, line {cells.line}"
            path = (folder / path_inside(cells.file, where)).as_posix()
            for text in cells.captions:
                yield Row(
                    item_id=cells.id or without_suffix(path),
                    path=path,
                    text=text,
                    where=where,
                    split=cells.split or folder_split(path),
                    group=cells.group,
                    kind=cells.kind,
                    language=cells.language,
                    caption_id=cells.caption_id,
                )


def _refuse_empty_split(root: Path, media: Sequence[str]) -> None:
    used = {path.partition("/")[0] for path in media}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder_split(f"{folder.name}/x") and folder.name not in used:
            raise DataError(
                f"{folder}: is the folder of a split, but holds no picture and no clip; fill it or "
                "delete it"
            )
