"""The manifest: the items and captions of a data set, checked before anything costs time.

Duplicate ids and an empty split always stop, since leaving rows out cannot mend them. Any other
problem stops too, or, with ``on_bad_item="skip"``, its row is left out and listed. A row that goes
takes along what hangs on it: the captions of an item that goes, and an item whose last caption
goes. Of a group that lies in two splits every item goes, so that nothing leaks.

A source that knows of problems itself (a NaN in an embedding) says so in a column ``problem``.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from polymatch.data.items import check_item
from polymatch.errors import ConfigError, DataError

SPLITS = ("train", "val", "test")

ITEM_COLUMNS = ("item_id", "path", "n_frames", "group_id", "split")
CAPTION_COLUMNS = ("caption_id", "item_id", "text", "kind", "language")


class Prepared(NamedTuple):
    """A data set ready for encoding, and what was left out of it.

    Attributes:
        manifest: one row per item, as in ``manifest.schema.json``.
        captions: one row per caption, as in ``captions.schema.json``.
        problems: table, row (counted from 1), id, problem; empty if nothing was wrong.
    """

    manifest: pd.DataFrame
    captions: pd.DataFrame
    problems: pd.DataFrame


def build_manifest(
    items: pd.DataFrame,
    captions: pd.DataFrame,
    root: Path | str,
    on_bad_item: Literal["stop", "skip"] = "stop",
    pictures: bool = True,
) -> Prepared:
    """Check a data set's items and captions against each other and against its files.

    Of a picture the frames are counted, of a video no more than the header is read: what is broken
    inside shows when it is encoded.

    Args:
        items: item_id, path (relative to ``root``), n_frames, group_id, split, [subgroup],
            [problem]; further columns are dropped.
        captions: caption_id, item_id, text, kind, language, [problem]; further columns are dropped.
        root: the folder that the paths start from.
        on_bad_item: ``stop`` at the first problem, or ``skip`` the rows that have one.
        pictures: whether every item has a picture; without (features come with the data set) path
            and n_frames may be missing, and no picture is looked for.

    Raises:
        ConfigError: ``on_bad_item`` is neither.
        DataError: a column is missing, an id occurs twice, a split has no items; with ``stop``
            any other problem: the first is named, the rest are counted.
    """
    if on_bad_item not in ("stop", "skip"):
        raise ConfigError(f"on_bad_item: {on_bad_item!r} is not one of 'stop', 'skip'")
    items = _columns(items, "items", ITEM_COLUMNS, optional=("subgroup", "problem"))
    captions = _columns(captions, "captions", CAPTION_COLUMNS, optional=("problem",))
    told = [_told(table) for table in (items, captions)]
    items, captions = (
        table.drop(columns="problem", errors="ignore") for table in (items, captions)
    )
    _refuse_repeated(items, "items", "item_id")
    _refuse_repeated(captions, "captions", "caption_id")

    # What the source says is said of its file and line.
    of_items = _item_problems(items, Path(root) if pictures else None) | told[0]
    of_captions = _caption_problems(captions, items, of_items) | told[1]
    kept_captions = captions.drop(index=list(of_captions))
    described = set(kept_captions["item_id"])
    for row, item_id in enumerate(items["item_id"]):
        if row not in of_items and item_id not in described:
            of_items[row] = "has no captions; add one or take out the item"

    problems = pd.concat(
        [
            _listed("items", items["item_id"], of_items),
            _listed("captions", captions["caption_id"], of_captions),
        ],
        ignore_index=True,
    )
    if on_bad_item == "stop" and len(problems):
        first = problems.iloc[0]
        others = f" (and {len(problems) - 1} other problems)" if len(problems) > 1 else ""
        raise DataError(
            f"{first['table']}, row {first['row']}, {first['id']!r}: {first['problem']}{others}"
        )
    manifest = items.drop(index=list(of_items)).reset_index(drop=True)
    _refuse_empty_split(manifest, len(of_items))
    return Prepared(manifest, kept_captions.reset_index(drop=True), problems)


def _columns(
    frame: pd.DataFrame, table: str, wanted: tuple[str, ...], optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise DataError(f"{table}: the columns {', '.join(absent)} are missing")
    kept = [*wanted, *(name for name in optional if name in frame.columns)]
    return frame[kept].reset_index(drop=True)


def _refuse_repeated(frame: pd.DataFrame, table: str, column: str) -> None:
    repeated = frame[column].duplicated()
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        name = frame[column].iloc[row]
        before = int((frame[column] == name).to_numpy().argmax())
        others = f" (and {repeated.sum() - 1} other repeats)" if repeated.sum() > 1 else ""
        raise DataError(
            f"{table}, row {row + 1}: {column} {name!r} is there already in row {before + 1}; "
            f"give every row an id of its own{others}"
        )


def _refuse_empty_split(manifest: pd.DataFrame, left_out: int) -> None:
    for split in SPLITS:
        if not (manifest["split"] == split).any():
            after = f" after {left_out} bad items were left out" if left_out else ""
            raise DataError(
                f"items: split {split!r} has no items{after}; every split of "
                f"{', '.join(SPLITS)} needs some"
            )


def _told(table: pd.DataFrame) -> dict[int, str]:
    """The problems that the source itself knows of, by row."""
    if "problem" not in table.columns:
        return {}
    return {row: problem for row, problem in enumerate(table["problem"]) if problem}


def _item_problems(items: pd.DataFrame, root: Path | None) -> dict[int, str]:
    """The first problem of each item that has one, by row; ``root`` is that of the pictures."""
    of_groups = items.groupby("group_id")["split"].nunique()
    split_groups = set(of_groups.index[of_groups > 1])
    with ThreadPoolExecutor() as pool:
        of_files: Iterable[str] = [""] * len(items)
        if root is not None:
            of_files = pool.map(partial(_file_problem, root), items["path"], items["n_frames"])
        found = {}
        for row, (split, group, of_file) in enumerate(
            zip(items["split"], items["group_id"], of_files, strict=True)
        ):
            if split not in SPLITS:
                found[row] = f"split {split!r} is unknown (known: {', '.join(SPLITS)})"
            elif group in split_groups:
                there = sorted(set(items["split"][items["group_id"] == group].astype(str)))
                found[row] = (
                    f"group {group!r} is in the splits {', '.join(there)}; put it into one, "
                    "or what is learnt from it leaks"
                )
            elif of_file:
                found[row] = of_file
    return found


def _file_problem(root: Path, name: object, n_frames: int) -> str:
    if not isinstance(name, str) or not name:
        return "has no picture; give its path or take out the row"
    path = root / name
    try:
        check_item(path, None if pd.isna(n_frames) else int(n_frames))
    except DataError as error:
        return str(error)
    return ""


def _caption_problems(
    captions: pd.DataFrame, items: pd.DataFrame, of_items: dict[int, str]
) -> dict[int, str]:
    known = set(items["item_id"])
    left_out = set(items["item_id"].iloc[list(of_items)])
    found = {}
    for row, (item_id, text) in enumerate(zip(captions["item_id"], captions["text"], strict=True)):
        if not isinstance(text, str) or not text.strip():
            found[row] = f"empty caption of item {item_id!r}; write it or take out the row"
        elif item_id not in known:
            found[row] = f"caption of an unknown item {item_id!r}; add the item or take out the row"
        elif item_id in left_out:
            found[row] = f"its item {item_id!r} has a problem of its own"
    return found


def _listed(table: str, ids: pd.Series, problems: dict[int, str]) -> pd.DataFrame:
    rows = sorted(problems)
    return pd.DataFrame(
        {
            "table": pd.Series([table] * len(rows), dtype="str"),
            "row": pd.Series([row + 1 for row in rows], dtype="int64"),
            "id": ids.iloc[rows].reset_index(drop=True).astype("str"),
            "problem": pd.Series([problems[row] for row in rows], dtype="str"),
        }
    )
