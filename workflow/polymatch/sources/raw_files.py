"""Files of raw data sets as upstream ships them: found, read record by record, checked.

JSON is streamed by `ijson`: COCO's sentences have 150 MB and more, of which one record is held at a
time. CSV may have a byte-order mark and Windows' line ends; JSON may have neither mark nor end
before its time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polymatch.errors import DataError

_AGAIN = "take the file as its authors ship it"


def found(root: Path, *names: str, part_of: str) -> Path:
    """The first of ``names`` that is a file below ``root``; ``part_of`` says where to get it.

    Raises:
        DataError: none of them is there.
    """
    for name in names:
        if (root / name).is_file():
            return root / name
    others = f" (nor {' nor '.join(names[1:])} there)" if names[1:] else ""
    raise DataError(
        f"{root / names[0]}: no such file{others}; it is part of {part_of}: set `download: true`, "
        "or put it there"
    )


def records(path: Path, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the list ``key`` at the top of a JSON file, behind its place for messages.

    Raises:
        DataError: the file is not whole JSON, or has no such list of objects.
    """
    # Here: whoever only asks for a source's name needs no parser.
    import ijson

    count = 0
    try:
        with path.open("rb") as file:
            for count, record in enumerate(ijson.items(file, f"{key}.item", use_float=True), 1):
                if not isinstance(record, dict):
                    raise DataError(
                        f"{path}, {key}, entry {count}: {record!r} is no object; {_AGAIN}"
                    )
                yield f"{path}, {key}, entry {count}", record
    except (ijson.JSONError, UnicodeDecodeError) as error:
        # some messages of the parser are bytes, and show the place on lines of their own
        reason = error.args[0].decode(errors="replace") if _has_bytes(error) else str(error)
        raise DataError(
            f"{path}: not whole JSON in UTF-8 ({reason.strip().splitlines()[0]}); copy it or "
            "unpack its archive again"
        ) from error
    if not count:
        raise DataError(f"{path}: has no list `{key}`, or an empty one; {_AGAIN}")


def text(record: Mapping[str, Any], key: str, where: str) -> str:
    """The text under ``key`` of the record at ``where``; DataError if it is not one."""
    value = _value(record, key, where)
    if not isinstance(value, str):
        raise DataError(f"{where}: `{key}` is {value!r}, not a text; {_AGAIN}")
    return value


def identifier(record: Mapping[str, Any], key: str, where: str) -> str:
    """The whole number or text under ``key``, as a text; DataError if it is neither, or empty."""
    value = _value(record, key, where)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise DataError(f"{where}: `{key}` is {value!r}, not an id; {_AGAIN}")
    return str(value)


def objects(record: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """The list of objects under ``key``; DataError if it is not one."""
    value = _value(record, key, where)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"{where}: `{key}` is no list of objects; {_AGAIN}")
    return value


class Ids:
    """The ids that were seen so far, each with its place; one that comes twice is refused."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._places: dict[str, str] = {}

    def __contains__(self, one: str) -> bool:
        return one in self._places

    def add(self, one: str, where: str) -> str:
        """Note ``one`` and return it; DataError if it is there already."""
        before = self._places.setdefault(one, where)
        if before is not where:
            raise DataError(
                f"{where}: {self._what} {one!r} is there already ({before}); each has one of its "
                "own, so take one of the two out"
            )
        return one


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row of a CSV file that has at least ``columns``, behind its place; lines from 1.

    Raises:
        DataError: a column is missing, no row follows the header, a row has not a value for each
            column, or the file is not UTF-8.
    """
    empty = True
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path}: line 1 has no column {', '.join(missing)}; {_AGAIN}, with its header"
                )
            for row in reader:
                empty = False
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise DataError(
                        f"{where}: not a value for each of {', '.join(reader.fieldnames or ())}; "
                        "values with commas are put in double quotes"
                    )
                yield where, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not CSV in UTF-8 ({error}); {_AGAIN}") from error
    if empty:
        raise DataError(f"{path}: has a header and no rows; {_AGAIN}")


def _value(record: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in record:
        raise DataError(f"{where}: has no `{key}`; {_AGAIN}")
    return record[key]


def _has_bytes(error: BaseException) -> bool:
    return bool(error.args) and isinstance(error.args[0], bytes)
