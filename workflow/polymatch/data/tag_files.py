"""The two published files of concept tags, read and written.

``tag_vocab.json`` is tag to number; ``video_tag.txt`` has an item a line: its id, a tab, and a
Python dict of its tags with how often its captions have them. The published code runs ``eval`` on
that dict; here it is read as a literal, so that a file can hold numbers and words and nothing that
is carried out.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polymatch.data.vocabulary import read_numbered
from polymatch.errors import DataError
from polymatch.files import written_atomically

Counts = dict[str, dict[str, int]]
"""Item -> tag -> how often the item's captions have it."""


def read_tag_vocabulary(path: Path | str) -> list[str]:
    """Tags in the order of their numbers.

    Raises:
        DataError: no such file, no such JSON, or the numbers have gaps or repeats.
    """
    return read_numbered(path)[0]


def write_tag_vocabulary(path: Path | str, tags: Sequence[str]) -> None:
    """Write ``tag_vocab.json``, whole or not at all."""
    numbers = {tag: number for number, tag in enumerate(tags)}
    with written_atomically(path) as partial:
        partial.write_text(json.dumps(numbers, indent=0) + "\n", encoding="utf-8")


def read_annotations(path: Path | str) -> Counts:
    """Tags of each item in a ``video_tag.txt``; empty for an item that has none.

    Raises:
        DataError: no such file, not UTF-8, an id is there twice, or a line is none of this kind.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a `video_tag.txt`") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error}); save it as that") from None
    found: Counts = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        # The last tab: there is none in the dict as Python writes it, but an id may have one.
        item_id, tab, written = line.rpartition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}: no tab between an item's id and its tags")
        if item_id in found:
            raise DataError(f"{path}, line {number}: item {item_id!r} is there twice")
        found[item_id] = _counts(written, f"{path}, line {number}: tags of {item_id!r}")
    return found


def write_annotations(path: Path | str, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Write a ``video_tag.txt``, whole or not at all.

    Items without tags are left out: the published code stops at them when it divides by their
    largest count.
    """
    lines = [f"{item_id}\t{dict(tags)!r}\n" for item_id, tags in counts.items() if tags]
    with written_atomically(path) as partial:
        partial.write_text("".join(lines), encoding="utf-8")


def _counts(written: str, where: str) -> dict[str, int]:
    try:
        read: Any = ast.literal_eval(written.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise DataError(f"{where} are no dict of numbers: {written.strip()!r:.60}") from None
    if not isinstance(read, dict):
        raise DataError(f"{where} are no dict of numbers: {written.strip()!r:.60}")
    for tag, count in read.items():
        if not isinstance(tag, str) or type(count) is not int or count < 1:
            raise DataError(
                f"{where}: {tag!r} has {count!r:.60}; each tag must have a whole number above 0"
            )
    return read
