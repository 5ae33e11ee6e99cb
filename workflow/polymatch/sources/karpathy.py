"""Karpathy's files of sentences and splits: ``dataset_coco.json`` and ``dataset_flickr30k.json``.

Source: Karpathy and Fei-Fei, Deep Visual-Semantic Alignments for Generating Image Descriptions,
CVPR 2015. A file has ``images``, each with ``filename``, ``split`` and ``sentences``; COCO's have
``filepath`` and ``cocoid`` too. ``restval`` is the part of COCO's val2014 that is in neither val
nor test, and is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.data.remote import RemoteFile
from polymatch.errors import DataError
from polymatch.sources.raw_files import Ids, found, identifier, objects, records, text
from polymatch.sources.raw_tables import RawTables

ARCHIVE = "caption_datasets.zip"
FOLDER = "caption_datasets"
SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}

# Karpathy's server has had his archive no more since 2023. This copy states size and checksum.
_COPY = (
    "https://media.githubusercontent.com/media/Delphboy/karpathy-splits/"
    "c6c92d266a0003efadb7b3b02e4ad6d00e3d1705"
)


def captions_file(name: str, copied_from: str, size: int, sha256: str) -> RemoteFile:
    """Karpathy's sentences and split of one data set, from a public copy of his archive."""
    return RemoteFile(
        name=f"{FOLDER}/{name}",
        urls=(f"{_COPY}/{copied_from}",),
        bytes=size,
        sha256=sha256,
        about=f"Karpathy's sentences and split, as a copy has them; {ARCHIVE} of his own, where "
        "you have it, is as good",
        licence="LicenseRef-none-stated",
    )


def karpathy_file(root: Path, name: str) -> Path:
    """The file called ``name``, where its archive is unpacked to or in ``root`` itself.

    Raises:
        DataError: it is in neither.
    """
    return found(root, f"{FOLDER}/{name}", name, part_of=ARCHIVE)


def read_karpathy(
    path: Path,
    name_of: Callable[[dict[str, Any], str], tuple[str, str]],
    left_out: Collection[str] = (),
    asked: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions of a file, in its order; captions carry their ``sentid``.

    Args:
        name_of: the id of a record's item and the path of its picture, given the record and its
            place.
        left_out: splits, by their names in the file, that are not read.
        asked: how many sentences of an item, from the first, are asked for on val and test; all
            of them if None. All are trained on.

    Raises:
        DataError: the file is not whole JSON of this form, a split is unknown, or an id comes
            twice.
    """
    tables = RawTables()
    item_ids, caption_ids = Ids("picture"), Ids("sentid")
    for where, record in records(path, "images"):
        name = text(record, "split", where)
        if name not in SPLITS:
            raise DataError(
                f"{where}: split {name!r} is unknown (known: {', '.join(SPLITS)}); correct it"
            )
        if name in left_out:
            continue
        split = SPLITS[name]
        item_id, picture = name_of(record, where)
        tables.add_item(item_ids.add(item_id, where), picture, split, item_id, where)
        sentences = objects(record, "sentences", where)
        for sentence in sentences if split == "train" else sentences[:asked]:
            caption_id = caption_ids.add(identifier(sentence, "sentid", where), where)
            tables.add_caption(caption_id, item_id, text(sentence, "raw", where), where)
    return tables.frames(1)
