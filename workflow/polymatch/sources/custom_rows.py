"""What every layout comes down to: rows of a file and a caption, made into the two tables.

Items are in the order of their ids, captions in that of their item, their own id and their words; a
caption without an id of its own has one from its words. No order of files or rows changes anything.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from polymatch.data.pictures import count_frames
from polymatch.data.video_files import VIDEO_SUFFIXES
from polymatch.errors import DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources.custom_files import PICTURES, SPLIT_NAMES, is_clip, is_media
from polymatch.sources.custom_splits import grouped, split_items

KIND = "sentence"


@dataclass(frozen=True, slots=True)
class Row:
    """One caption of one file, as a layout says it.

    Attributes:
        item_id: the item that the caption is of.
        path: the file, relative to the root of the data set; nothing if there is none.
        text: the caption; None for a file without any.
        where: file and line that say so, for messages.
        split: as written; nothing if it is not said.
        group: what no split separates; nothing if it is not said.
        problem: what the layout itself found wrong with the caption.
    """

    item_id: str
    path: str
    text: str | None
    where: str
    split: str = ""
    group: str = ""
    kind: str = ""
    language: str = ""
    caption_id: str = ""
    problem: str = ""


def tables(
    rows: Iterable[Row], data: DataSettings, language: str, test_share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions of rows, with their splits.

    Raises:
        DataError: an id has two files or a file two ids, rows of one file differ in split or
            group, captions have one id, or splits cannot be drawn.
    """
    rows = sorted(rows, key=lambda row: (row.item_id, row.caption_id, row.text or "", row.where))
    items = _items([row for row in rows if row.path], data, test_share)
    return items, _captions([row for row in rows if row.text is not None], language)


def _items(rows: list[Row], data: DataSettings, test_share: float) -> pd.DataFrame:
    root = Path(data.root)
    first: dict[str, Row] = {}
    of_path: dict[str, Row] = {}
    for row in rows:
        _refuse_contradiction(first.setdefault(row.item_id, row), row)
        other = of_path.setdefault(row.path, row)
        if other.item_id != row.item_id:
            raise DataError(
                f"{row.where}: {row.path} is item {row.item_id!r}, but {other.item_id!r} in "
                f"{other.where}; give a file one id"
            )
    if not first:
        raise DataError(f"{root}: holds no picture and no clip with a caption")
    with ThreadPoolExecutor() as pool:
        frames = list(pool.map(lambda row: _frames(row, root, data.frames), first.values()))
    told = {row.item_id: problem for row, (_, problem) in zip(first.values(), frames, strict=True)}
    splits = {row.item_id: _split(row.split) for row in first.values()}
    for row in first.values():
        if row.split and row.split.lower() not in SPLIT_NAMES:
            told[row.item_id] = (
                f"{row.where}: split {row.split!r} is unknown (known: train, val or validation or "
                "dev, test); correct it"
            )
    paths = {item: row.path for item, row in first.items() if not told[item]}
    groups, apart = grouped(paths, {item: row.group for item, row in first.items()}, splits, root)
    splits = split_items(splits, groups, root, data.val_share, test_share)
    return pd.DataFrame(
        {
            "item_id": list(first),
            "path": [row.path for row in first.values()],
            "n_frames": pd.Series([count for count, _ in frames], dtype="Int64"),
            "group_id": [groups[item] for item in first],
            "split": [splits[item] for item in first],
            "problem": [told[item] or apart.get(item, "") for item in first],
        }
    )


def _split(written: str) -> str:
    return SPLIT_NAMES.get(written.lower(), written)


def _refuse_contradiction(first: Row, row: Row) -> None:
    if first.path != row.path:
        raise DataError(
            f"{row.where}: item {row.item_id!r} is {row.path}, but {first.path} in {first.where}; "
            "an item has one file: rename or take out one"
        )
    for what in ("split", "group"):
        here, there = getattr(row, what), getattr(first, what)
        if here != there:
            raise DataError(
                f"{row.where}: {what} of {row.path} is {here!r}, but {there!r} in {first.where}; "
                "a file has one in all of its rows"
            )


def _frames(row: Row, root: Path, of_clip: int) -> tuple[int | None, str]:
    """How many frames are read of a file, and what is wrong with it."""
    if not (root / row.path).is_file():
        return (
            None,
            f"{row.where}: {root / row.path} is not there; put the file there or take it out",
        )
    if not is_media(row.path):
        known = " ".join(sorted(PICTURES | VIDEO_SUFFIXES))
        return None, f"{row.where}: {row.path} is no picture and no clip by its suffix ({known})"
    if is_clip(row.path):
        return of_clip, ""
    try:
        return count_frames(root / row.path), ""
    except DataError as error:
        return None, str(error)


def _captions(rows: list[Row], language: str) -> pd.DataFrame:
    ids = []
    times: Counter[str] = Counter()
    for row in rows:
        if row.caption_id:
            ids.append(row.caption_id)
            continue
        mark = hashlib.sha256(f"{row.kind}\n{row.language}\n{row.text}".encode()).hexdigest()[:8]
        own = f"{row.item_id}#{mark}"
        times[own] += 1
        ids.append(own if times[own] == 1 else f"{own}-{times[own]}")
    return pd.DataFrame(
        {
            "caption_id": ids,
            "item_id": [row.item_id for row in rows],
            "text": [row.text for row in rows],
            "kind": [row.kind or KIND for row in rows],
            "language": [row.language or language for row in rows],
            "problem": [row.problem or _empty(row) for row in rows],
        }
    )


def _empty(row: Row) -> str:
    return "" if row.text else f"{row.where}: the caption is empty; write it or take it out"
