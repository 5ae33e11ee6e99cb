"""A table of files and captions: CSV, TSV or JSON Lines, a row a caption.

Columns are found by the names that people use, in either case, the first of each list that is
there; others are named in ``data.custom.columns``. A CSV file's columns may be parted by ``,``,
``;``, tab or ``|``: whichever its first line is parted by. In JSON Lines a caption may be a list.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from polymatch.errors import DataError
from polymatch.settings.custom import ColumnSettings
from polymatch.sources.custom_files import text_lines

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

NAMES = {
    "file": ("path", "file", "filename", "file_name", "filepath", "image", "video"),
    "caption": ("caption", "text", "sentence", "title"),
    "split": ("split",),
    "id": ("id", "item_id"),
    "group": ("group", "group_id"),
    "language": ("language",),
    "kind": ("kind",),
    "caption_id": ("caption_id",),
}
"""What people call a column."""

_NEEDED = ("file", "caption")


class Cells(NamedTuple):
    """One row: the line that it ends on, its captions, and what else it says or nothing."""

    line: int
    file: str
    captions: list[str]
    split: str
    id: str
    group: str
    language: str
    kind: str
    caption_id: str


def read_cells(path: Path, columns: ColumnSettings) -> Iterator[Cells]:
    """The rows of a table, one after the other; lines without anything are passed over.

    Raises:
        DataError: no such file, not such a table, a column is missing, a row has too many or too
            few cells, or nothing is in it.
    """
    named = {key: value for key, value in columns.model_dump().items() if value is not None}
    read = _json_rows if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows
    line = 0
    for line, row in read(path, named):
        captions = row["caption"]
        texts = captions if isinstance(captions, list) else [captions]
        rest = {key: _text(path, line, key, row.get(key, "")) for key in NAMES if key != "caption"}
        yield Cells(
            line=line,
            captions=[_text(path, line, "caption", text) for text in texts],
            **rest,
        )
    if not line:
        raise DataError(f"{path}: holds no rows; write one for each caption")


def _csv_rows(path: Path, named: dict[str, str]) -> Iterator[tuple[int, dict[str, object]]]:
    first = next(text_lines(path), "")
    marks = "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=first.count)
    reader = csv.reader(text_lines(path), delimiter=marks, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        places = _columns(path, header, named)
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, the first line "
                    f"{len(header)}; put a cell that holds {marks!r} into quotation marks"
                )
            yield reader.line_num, {key: row[place] for key, place in places.items()}
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num} is not CSV ({error}); save the table again"
        ) from None


def _json_rows(path: Path, named: dict[str, str]) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{path}: line {number} is not JSON ({error}); write one object a line"
            ) from None
        if not isinstance(row, dict):
            raise DataError(
                f"{path}: line {number} is not an object but {_shown(row)}; write one object a line"
            )
        keys = list(row)
        # Each line by itself, as one may lack what another has.
        places = _columns(path, keys, named, f"line {number}: ")
        yield number, {key: row[keys[place]] for key, place in places.items()}


def _columns(
    path: Path, header: list[str], named: dict[str, str], where: str = ""
) -> dict[str, int]:
    """Where each column is: those that are needed, and the others that are there."""
    plain = [name.lower() for name in header]
    places: dict[str, int] = {}
    for key, usual in NAMES.items():
        wanted = (named[key].lower(),) if key in named else usual
        found = [name for name in wanted if name in plain]
        if found:
            if plain.count(found[0]) > 1:
                raise DataError(f"{path}: {where}column {found[0]!r} is there twice; rename one")
            places[key] = plain.index(found[0])
        elif key in _NEEDED or key in named:
            what = {"file": "the file", "caption": "the caption"}.get(key, f"the {key}")
            raise DataError(
                f"{path}: {where}no column for {what} ({', '.join(wanted)}); the columns are "
                f"{', '.join(header) or 'none'}; rename one or set data.custom.columns.{key}"
            )
    return places


def _text(path: Path, line: int, key: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(
            f"{path}: line {line}: {key} is {_shown(value)}, not a text; correct the line"
        )
    return str(value).strip()


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
