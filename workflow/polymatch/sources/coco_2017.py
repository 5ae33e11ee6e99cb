"""COCO's captions of 2017, in its own format: val2017 is test, val is cut from train2017.

A file has ``images`` with ``id`` and ``file_name``, and ``annotations`` with ``image_id``, ``id``
and ``caption``; an annotation's picture is in the same file.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from polymatch.sources.given_arrays import lowest
from polymatch.sources.raw_files import Ids, found, identifier, records, text
from polymatch.sources.raw_tables import RawTables

ARCHIVE = "annotations_trainval2017.zip"
FOLDER = "annotations_trainval2017"


def caption_lists(root: Path) -> tuple[Path, Path]:
    """The captions of train2017 and val2017, below their archive's folder or ``annotations``.

    Raises:
        DataError: one is in neither.
    """
    train, val = (
        found(root, f"{FOLDER}/{name}", f"annotations/{name}", part_of=ARCHIVE)
        for name in ("captions_train2017.json", "captions_val2017.json")
    )
    return train, val


def read_2017(
    root: Path, val_share: float, asked: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pictures and captions of both files, in their order; ids are COCO's.

    Args:
        val_share: share of train2017's pictures that is val: those whose ids hash lowest.
        asked: how many captions of a picture, from the first, are asked for on val and test.

    Raises:
        DataError: a file is missing or broken, or an id comes twice.
    """
    tables = RawTables()
    item_ids, caption_ids = Ids("picture"), Ids("caption")
    for path, folder in zip(caption_lists(root), ("train2017", "val2017"), strict=True):
        own: dict[str, tuple[str, str]] = {}
        for where, record in records(path, "images"):
            item_id = item_ids.add(identifier(record, "id", where), where)
            own[item_id] = where, text(record, "file_name", where)
        val = lowest(list(own), val_share) if folder == "train2017" else set()
        split_of = {
            one: "val" if one in val else "train" if folder == "train2017" else "test"
            for one in own
        }
        for item_id, (where, name) in own.items():
            tables.add_item(item_id, f"{folder}/{name}", split_of[item_id], item_id, where)
        seen: Counter[str] = Counter()
        for where, record in records(path, "annotations"):
            item_id = identifier(record, "image_id", where)
            caption_id = caption_ids.add(identifier(record, "id", where), where)
            words = text(record, "caption", where)
            problem = ""
            if item_id not in own:
                problem = f"{where}: picture {item_id!r} is none of its `images`; take it out"
            seen[item_id] += 1
            if asked is None or seen[item_id] <= asked or split_of.get(item_id) == "train":
                tables.add_caption(caption_id, item_id, words, where, problem)
    return tables.frames(1)
