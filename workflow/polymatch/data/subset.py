"""Part of a split, for searching settings faster than on all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from polymatch.data.captions import select_kinds
from polymatch.data.splits import SplitReader
from polymatch.errors import DataError


def with_captions(
    reader: SplitReader, split: str, kinds: list[str], captions: int, seed: int
) -> SplitReader:
    """A reader whose ``split`` has at most ``captions`` captions of these kinds; others stay.

    Whole items are taken, in an order drawn from ``seed``, as long as their captions still fit:
    an item keeps all of its captions, and what is left out is never read from the stores. The
    published subset draws captions instead, which leaves most of COCO's pictures in it with one
    or two.

    Raises:
        DataError: no item has so few captions.
    """
    of_kinds = select_kinds(reader.captions, kinds)
    in_split = reader.manifest.loc[reader.manifest["split"] == split, "item_id"]
    counts = of_kinds["item_id"].value_counts().reindex(in_split).fillna(0).astype(int)
    if counts.sum() <= captions:
        return reader
    order = np.random.default_rng(seed).permutation(len(counts))
    taken = order[np.cumsum(counts.to_numpy()[order]) <= captions]
    if not counts.iloc[taken].sum():
        raise DataError(
            f"{reader.dataset}: the first item drawn from split {split!r} has more than "
            f"{captions} captions; take more captions"
        )
    kept = set(counts.index[taken])
    manifest = reader.manifest
    return replace(
        reader, manifest=manifest[(manifest["split"] != split) | manifest["item_id"].isin(kept)]
    )
