"""Embeddings made elsewhere as a data set: a folder for train, one for test, one for val if any.

Nothing is extracted: the rows go into the feature stores as they are, as float32. Without a folder
for val a share of train (``data.val_share``) is cut off, the items whose ids hash lowest, so that
the cut is the same on every machine and whatever the order of the rows.

A leak makes every figure worthless, so the same id in two folders stops, and where ids are missing
an item whose very embedding lies in another folder counts as a bad item.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from polymatch.data.features import FeatureWriter
from polymatch.errors import ConfigError
from polymatch.settings.stages import DataSettings
from polymatch.sources.embedding_folder import EmbeddingFolder, folder_files, open_folder
from polymatch.sources.given_arrays import (
    Rows,
    given_items,
    lowest,
    refuse_other_widths,
    refuse_shared_ids,
    row_key,
)
from polymatch.sources.info import SourceInfo

INFO = SourceInfo(
    name="embeddings",
    title="Embeddings made elsewhere, in the layouts of the published code",
    licence="LicenseRef-as-the-data-set",
    citation="the data set and the encoder that the embeddings were made from",
    revision="as given",
    url="https://github.com/Iamlixinzhao/Cross-model-retrieval",
)

FEATURES = ("pooled", "captions")

KIND = "sentence"


def input_files(data: DataSettings) -> list[Path]:
    """Every file that is read.

    Raises:
        ConfigError: no folders are given, or two of them are one.
        DataError: a folder or a file is missing.
    """
    return [file for split, path in _paths(data).items() for file in folder_files(path, split)]


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions of all folders, in the order of their rows.

    ``items`` has item_id, path and n_frames (missing: there are no pictures), group_id (the item),
    split, problem; ``captions`` has caption_id, item_id, text, kind, language, problem. ``problem``
    says what is wrong with a row's embedding, or is empty.

    Raises:
        ConfigError: see :func:`input_files`.
        DataError: a file is missing or broken, widths differ between folders, or an id is in two.
    """
    folders = [open_folder(path, split) for split, path in _paths(data).items()]
    refuse_other_widths(*(folder.items for folder in folders))
    refuse_other_widths(*(folder.captions for folder in folders))
    refuse_shared_ids([(folder.items.path.parent, folder.item_ids) for folder in folders])
    seen: dict[bytes, str] | None = {} if any(folder.numbered for folder in folders) else None
    # Test goes first, so that of two equal rows it is train's that counts as bad.
    items = pd.concat([_items(folder, seen) for folder in reversed(folders)][::-1])
    captions = pd.concat([_captions(folder) for folder in folders])
    if "val" not in {folder.split for folder in folders}:
        items.loc[items["item_id"].isin(lowest(folders[0].item_ids, data.val_share)), "split"] = (
            "val"
        )
    return items.reset_index(drop=True), captions.reset_index(drop=True)


def write_features(
    data: DataSettings,
    manifest: pd.DataFrame,
    captions: pd.DataFrame,
    stores: Mapping[str, Path],
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write the embeddings of the items and captions that are left into stores, in blocks.

    Args:
        manifest, captions: the checked tables; rows that they lack are left out.
        stores: ``pooled`` and ``captions``, each with the HDF5 file to write.
        attributes: at least ``encoder``, ``dataset`` and ``command``.
    """
    folders = [open_folder(path, split) for split, path in _paths(data).items()]
    about = {"revision": "as given", "preprocessing": "made elsewhere", **attributes}
    sides = {
        "pooled": [(folder.items, folder.item_ids) for folder in folders],
        "captions": [(folder.captions, folder.caption_ids) for folder in folders],
    }
    kept = {"pooled": set(manifest["item_id"]), "captions": set(captions["caption_id"])}
    for name, path in stores.items():
        with FeatureWriter(path, sides[name][0][0].width, about) as writer:
            for rows, ids in sides[name]:
                for start, block in rows.blocks():
                    named = ids[start : start + len(block)]
                    wanted = [row for row, one in enumerate(named) if one in kept[name]]
                    if wanted:
                        writer.append([named[row] for row in wanted], block[wanted])


def _paths(data: DataSettings) -> dict[str, Path]:
    if data.folders is None:
        raise ConfigError("data.folders: is missing; source 'embeddings' needs train and test")
    named = {"train": data.folders.train, "val": data.folders.val, "test": data.folders.test}
    paths = {split: Path(data.root) / path for split, path in named.items() if path is not None}
    places: dict[Path, str] = {}
    for split, path in paths.items():
        other = places.setdefault(path.resolve(), split)
        if other != split:
            raise ConfigError(
                f"data.folders.{split}: {str(path)!r} is the folder of {other} too; "
                "a head is never tested on what it was trained on"
            )
    return paths


def _items(folder: EmbeddingFolder, seen: dict[bytes, str] | None) -> pd.DataFrame:
    items = given_items(folder.item_ids, folder.split)
    return items.assign(problem=_problems(folder.items, folder.item_ids, seen))


def _captions(folder: EmbeddingFolder) -> pd.DataFrame:
    ids = folder.caption_ids
    return pd.DataFrame(
        {
            "caption_id": ids,
            "item_id": folder.owners,
            "text": folder.texts,
            "kind": KIND,
            "language": "und",
            "problem": _problems(folder.captions, ids, None),
        }
    )


def _problems(rows: Rows, ids: list[str], seen: dict[bytes, str] | None) -> list[str]:
    """What is wrong with each row; ``seen`` maps the rows of other folders to where they are."""
    found: list[str] = [""] * len(rows)
    own: dict[bytes, str] = {}
    for start, block in rows.blocks():
        finite = np.asarray(np.isfinite(block).all(axis=1))
        nonzero = np.asarray(np.any(block, axis=1))
        for row in range(len(block)):
            name = f"row {start + row + 1} of {rows.path}"
            if not finite[row]:
                found[start + row] = f"{name} holds NaN or infinity; make it again"
            elif not nonzero[row]:
                found[start + row] = f"{name} is zero, without a direction; make it again"
            elif seen is not None:
                own[row_key(block[row])] = name
                if there := seen.get(row_key(block[row])):
                    found[start + row] = (
                        f"{name} equals {there}, so what is tested would be trained on; "
                        "take it out of one"
                    )
    if seen is not None:
        seen |= own
    return found
