"""COCO encoded beforehand, in the published layout of one row a pair (:mod:`.pair_files`).

An image becomes one item, each of its rows a caption; the repeated image rows must be equal. Splits
are of whole images, and each image is a group of its own. Files for test and val may be missing:
then a share of train's images is cut off, always the same ones.

Deviations: the published code warns of ids that do not fit its embeddings and goes on with row
numbers, so that every caption is an image of its own; here that stops, and so does an image in two
splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polymatch.data.features import FeatureWriter
from polymatch.errors import ConfigError, DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources.given_arrays import (
    Rows,
    given_items,
    lowest,
    names_of_splits,
    refuse_other_widths,
    refuse_shared_ids,
)
from polymatch.sources.info import SourceInfo
from polymatch.sources.pair_files import MODELS, PairFiles, open_pairs, pair_files

INFO = SourceInfo(
    name="encoded_pairs",
    title="COCO 2017 encoded beforehand, in the layout of the published code",
    licence="CC-BY-4.0 AND LicenseRef-Flickr-terms-of-use",
    citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; and the encoders",
    revision="as given",
    url="https://cocodataset.org",
)

FEATURES = ("pooled", "captions")

KIND = "sentence"

PUBLISHED_SEED = 42


def input_files(data: DataSettings) -> list[Path]:
    """Every file that is read.

    Raises:
        ConfigError: no names are given, or two of them are one.
        DataError: a file is missing.
    """
    root = Path(data.root)
    return [file for split, name in _names(data).items() for file in pair_files(root, name, split)]


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the images and the captions of all files, in the order of their rows.

    The tables are those of :func:`polymatch.sources.embeddings.read`. A caption without words has
    its id in place of them.

    Raises:
        ConfigError: see :func:`input_files`; or no image is left for train.
        DataError: a file is missing or broken, files come from different encoders, or an image is
            in two of them.
    """
    parts = _open(data)
    splits = _splits(data, parts)
    items = pd.concat([_items(part, splits) for part in parts], ignore_index=True)
    return items, pd.concat([_captions(part) for part in parts], ignore_index=True)


def write_features(
    data: DataSettings,
    manifest: pd.DataFrame,
    captions: pd.DataFrame,
    stores: Mapping[str, Path],
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write the images and captions that are left into stores, in blocks; an image once.

    Args:
        manifest, captions: the checked tables; rows that they lack are left out.
        stores: ``pooled`` and ``captions``, each with the HDF5 file to write.
        attributes: at least ``encoder``, ``dataset`` and ``command``.
    """
    parts = _open(data)
    kept_items, kept_captions = set(manifest["item_id"]), set(captions["caption_id"])
    for name, path in stores.items():
        model = parts[0].models.get(MODELS[name == "captions"], "as given")
        about = {"revision": model, "preprocessing": "made elsewhere", **attributes}
        width = (parts[0].images if name == "pooled" else parts[0].captions).width
        with FeatureWriter(path, width, about) as writer:
            for part in parts:
                if name == "pooled":
                    chosen = zip(part.first_rows, part.item_ids, strict=True)
                    wanted = [(int(row), one) for row, one in chosen if one in kept_items]
                    rows = part.images
                else:
                    named = enumerate(part.caption_ids)
                    wanted = [(row, one) for row, one in named if one in kept_captions]
                    rows = part.captions
                for ids, block in _picked(rows, wanted):
                    writer.append(ids, block)


def _names(data: DataSettings) -> dict[str, str]:
    if data.pairs is None:
        raise ConfigError("data.pairs: is missing; source 'encoded_pairs' needs at least `train`")
    given = {"train": data.pairs.train, "val": data.pairs.val, "test": data.pairs.test}
    return names_of_splits(
        "data.pairs", {split: name for split, name in given.items() if name is not None}
    )


def _open(data: DataSettings) -> list[PairFiles]:
    root = Path(data.root)
    parts = [open_pairs(root, name, split) for split, name in _names(data).items()]
    refuse_other_widths(*(part.images for part in parts))
    refuse_other_widths(*(part.captions for part in parts))
    refuse_shared_ids([(part.metadata, part.item_ids) for part in parts])
    for part in parts[1:]:
        for key in set(parts[0].models) & set(part.models):
            if part.models[key] != parts[0].models[key]:
                raise DataError(
                    f"{part.metadata}: {key} is {part.models[key]!r}, but {parts[0].metadata} says "
                    f"{parts[0].models[key]!r}; all splits must come from one encoder"
                )
    return parts


def _splits(data: DataSettings, parts: list[PairFiles]) -> dict[str, str]:
    """The split of every image that is not in that of its files."""
    assert data.pairs is not None
    there = {part.split for part in parts}
    train = parts[0].item_ids
    cut: dict[str, str] = {}
    if "test" not in there:
        drawn = _published_test if data.pairs.draw == "published" else lowest
        cut |= dict.fromkeys(drawn(train, data.pairs.test_share), "test")
    if "val" not in there:
        rest = [one for one in train if one not in cut]
        cut |= dict.fromkeys(lowest(rest, data.val_share) if rest else (), "val")
    if len(cut) == len(train):
        raise ConfigError(
            f"data.pairs: none of the {len(train)} images of {parts[0].metadata} is left for train "
            "after test and val are cut off; lower `test_share` and `data.val_share`"
        )
    return cut


def _published_test(ids: Sequence[str], share: float) -> set[str]:
    """The images that the published split draws: the end of NumPy's permutation of seed 42."""
    # RandomState and no Generator: the legacy permutation is what they drew from.
    order = np.random.RandomState(PUBLISHED_SEED).permutation(len(ids))
    return {ids[row] for row in order[len(ids) - int(share * len(ids)) :]}


def _items(part: PairFiles, splits: Mapping[str, str]) -> pd.DataFrame:
    ids, problems = part.item_ids, part.image_problems()
    items = given_items(ids, [splits.get(one, part.split) for one in ids])
    return items.assign(problem=[problems.get(one, "") for one in ids])


def _captions(part: PairFiles) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "caption_id": part.caption_ids,
            "item_id": part.image_ids,
            "text": part.caption_ids if part.texts is None else part.texts,
            "kind": KIND,
            "language": "und" if part.texts is None else "en",
            "problem": part.caption_problems(),
        }
    )


def _picked(rows: Rows, wanted: list[tuple[int, str]]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Ids and embeddings of the ``wanted`` (row, id), whose rows ascend, block by block."""
    numbers = np.array([row for row, _ in wanted], dtype=np.int64)
    for start, block in rows.blocks():
        low, high = np.searchsorted(numbers, [start, start + len(block)])
        if low < high:
            yield [one for _, one in wanted[low:high]], block[numbers[low:high] - start]
