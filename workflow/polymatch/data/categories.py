"""Which categories of things each item shows: what plausible-match R-precision compares.

They come from an annotation file in the format of COCO's instances (``annotations``, a list of
objects with ``image_id`` and ``category_id``), or from the manifest's column ``subgroup``.

Decision: a subgroup gives an item two categories, the subgroup itself and the part of its name
before the first ``-``, which is coarser (``animal-mammal``: ``animal-mammal`` and ``animal``). With
one category an item any two items would differ in 0 or 2 places, and at the threshold 2 everything
would match everything. With two, items of one subgroup differ in 0 places, others of its coarser
kind in 2 and all others in 4: thresholds 0 and 1 ask for the subgroup, 2 for the coarser kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polymatch.errors import ConfigError, DataError

GROUPS = "groups"


def category_table(source: str, manifest: pd.DataFrame) -> pd.DataFrame:
    """Categories of the manifest's items, a row each, as in ``categories.schema.json``.

    Args:
        source: ``groups``, or the path of an annotation file whose image ids are item ids.
        manifest: the items; those that the file does not name have no category.

    Raises:
        ConfigError: ``groups``, but the data set has no subgroups.
        DataError: the file is missing or not of this format, or names none of the items.
    """
    if source == GROUPS:
        if "subgroup" not in manifest.columns:
            raise ConfigError(
                "evaluation.pmrp: 'groups' needs the column `subgroup` of the manifest, which this "
                "data set lacks; name a file of categories"
            )
        named = manifest[["item_id", "subgroup"]]
        fine = named.rename(columns={"subgroup": "category"})
        # A prefix keeps a subgroup without "-" from being its own coarser kind.
        coarse = fine.assign(category="kind: " + fine["category"].str.partition("-")[0])
        return pd.concat([fine, coarse], ignore_index=True)
    path = Path(source)
    pairs = _annotated(path)
    table = pd.DataFrame(pairs, columns=["item_id", "category"], dtype=str).drop_duplicates()
    known = table[table["item_id"].isin(manifest["item_id"])].reset_index(drop=True)
    if not len(known):
        example = table["item_id"].iloc[0] if len(table) else None
        raise DataError(
            f"{path}: none of its {table['item_id'].nunique()} images (the first is {example!r}) "
            f"is an item of the data set, whose ids look like {manifest['item_id'].iloc[0]!r}"
        )
    return known


def category_codes(table: pd.DataFrame, item_ids: Sequence[str]) -> np.ndarray:
    """Codes [N, C] of 0 and 1 of these items, a column for each category that one of them has.

    >>> rows = pd.DataFrame({"item_id": ["b", "a", "b"], "category": ["cat", "dog", "dog"]})
    >>> category_codes(rows, ["a", "b", "c"]).tolist()
    [[0, 1], [1, 1], [0, 0]]
    """
    row_of = {item: row for row, item in enumerate(item_ids)}
    own = table[table["item_id"].isin(list(row_of))]
    columns, names = pd.factorize(own["category"], sort=True)
    codes = np.zeros((len(item_ids), len(names)), np.uint8)
    codes[own["item_id"].map(row_of), columns] = 1
    return codes


def _annotated(path: Path) -> list[tuple[str, str]]:
    """(image, category) of every annotation of a file, whose outlines are dropped while reading."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; `evaluation.pmrp` names it")
    try:
        whole = json.loads(path.read_bytes(), object_hook=_pair)
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from error
    annotations = whole.get("annotations") if isinstance(whole, Mapping) else None
    if not isinstance(annotations, list):
        raise DataError(f"{path}: has no list `annotations`, as COCO's instances files have")
    for place, pair in enumerate(annotations):
        if not isinstance(pair, tuple):
            raise DataError(f"{path}: annotation {place} lacks `image_id` or `category_id`")
    return annotations


def _pair(read: dict[str, Any]) -> Any:
    if "image_id" in read and "category_id" in read:
        return str(read["image_id"]), str(read["category_id"])
    return read
