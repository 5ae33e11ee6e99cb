"""SCAN's precomputed data sets (``f30k_precomp``, ``coco_precomp``): regions and captions.

The regions are those of bottom-up attention (36 x 2048; any other size will do), the files those of
:mod:`.precomp_files`. It brings ``regions``, and no embeddings of captions, which models read as
words. The arrays have 20 GB: tables are made without them, and :func:`write_features` reads every
row once, checks it and writes it. For the published code it leaves files beside the store that show
its rows in the published layout (:mod:`.published_regions`).

Deviations: the published loader takes an array with a row an image for granted in train, one with a
row a caption in every other split, and cuts captions that do not fit; here both are told apart by
their number, and what does not fit stops. It knows no ids; here an image in two splits stops, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from polymatch.data.features import FeatureWriter
from polymatch.errors import ConfigError, DataError
from polymatch.settings.precomp import PrecompSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources.given_arrays import (
    given_items,
    names_of_splits,
    refuse_shared_ids,
    row_key,
)
from polymatch.sources.info import SourceInfo
from polymatch.sources.precomp_files import PrecompSplit, open_precomp, precomp_files
from polymatch.sources.published_regions import PUBLISHED_TRAIN, write_published

INFO = SourceInfo(
    name="scan_precomp",
    title="Flickr30K or COCO as SCAN's precomputed regions",
    licence="LicenseRef-Flickr-terms-of-use AND CC-BY-4.0",
    citation="Lee et al., Stacked Cross Attention for Image-Text Matching, ECCV 2018; Anderson et "
    "al., Bottom-Up and Top-Down Attention, CVPR 2018; and the data set",
    revision="as given",
    url="https://github.com/kuanghuei/SCAN",
)

FEATURES = ("regions",)

KIND = "sentence"


def input_files(data: DataSettings) -> list[Path]:
    """Every file that is read.

    Raises:
        ConfigError: no names are given, or two of them are one.
        DataError: a file is missing.
    """
    root = Path(data.root)
    names = _names(_settings(data)).items()
    return [file for split, name in names for file in precomp_files(root, name, split)]


def published_stores(data: DataSettings) -> list[str]:
    """Names of the files that the published code reads, beside the store of regions."""
    return [f"published/{name}" for name in _names(_settings(data)).values()]


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the images and the captions of all splits, in the order of their lines.

    The tables are those of :func:`polymatch.sources.embeddings.read`; what is wrong with an image's
    regions is told by :func:`write_features`, which reads them.

    Raises:
        ConfigError: see :func:`input_files`.
        DataError: a file is missing or broken, files do not fit each other, or an image is in two
            splits.
    """
    parts = _open(data)
    items = pd.concat([_items(part) for part in parts], ignore_index=True)
    return items, pd.concat([_captions(part) for part in parts], ignore_index=True)


def write_features(
    data: DataSettings,
    manifest: pd.DataFrame,
    captions: pd.DataFrame,
    stores: Mapping[str, Path],
    attributes: Mapping[str, str | int | float],
) -> pd.DataFrame:
    """Write the regions of the images that are left, in blocks, and what the published code reads.

    Args:
        manifest: the checked table; images that it lacks are left out.
        captions: not looked at: captions have no features here.
        stores: ``regions`` and those of :func:`published_stores`, each with the HDF5 file to write.
        attributes: at least ``encoder``, ``dataset`` and ``command``.

    Returns:
        The images left out with ``on_bad_item: skip``: table, row (from 1), id, problem.

    Raises:
        DataError: regions are NaN, infinite or zero, or differ within an image; and see
            :func:`read`.
    """
    parts = _open(data)
    about = {"revision": "as given", "preprocessing": "made elsewhere", **attributes}
    check = _Check(data, manifest["item_id"].tolist(), parts)
    shown: list[NDArray[np.int64]] = []
    with (
        FeatureWriter(stores["regions"], parts[0].images.row_shape, about) as writer,
        tqdm(total=check.images, desc="convert regions", unit="image", mininterval=5) as bar,
    ):
        for part in parts:
            rows = np.full(len(part.image_ids), -1, dtype=np.int64)
            for first, regions, faults in part.blocks():
                kept = check.kept(part, first, regions, faults)
                if kept:
                    whole = len(kept) == len(regions)
                    ids = [part.image_ids[first + row] for row in kept]
                    rows[first + np.array(kept)] = len(writer) + np.arange(len(kept))
                    writer.append(ids, regions if whole else regions[kept])
                bar.update(len(regions))
            shown.append(rows)
    for part, rows in zip(parts, shown, strict=True):
        repeats = 1 if part.name == PUBLISHED_TRAIN else part.captions_per_image
        write_published(stores[f"published/{part.name}"], stores["regions"], rows, repeats)
    return pd.DataFrame(check.problems, columns=["table", "row", "id", "problem"])


class _Check:
    """Which images are kept; what is wrong with the others stops, or is listed in ``problems``."""

    def __init__(self, data: DataSettings, item_ids: list[str], parts: list[PrecompSplit]) -> None:
        self.images = sum(len(part.image_ids) for part in parts)
        self.problems: list[tuple[str, int, str, str]] = []
        self._stop = data.on_bad_item == "stop"
        self._row_of = {item_id: row for row, item_id in enumerate(item_ids)}
        # Where ids cannot tell that an image is in two splits, its numbers do.
        self._numbered = any(part.ids_path is None for part in parts)
        self._seen: dict[bytes, tuple[str, str]] = {}

    def kept(
        self,
        part: PrecompSplit,
        first: int,
        regions: NDArray[np.float32],
        faults: list[str],
    ) -> list[int]:
        """Rows of a block that are written: of images in the manifest with nothing wrong."""
        kept = []
        for row, item_id in enumerate(part.image_ids[first : first + len(regions)]):
            if item_id not in self._row_of:
                continue
            problem = faults[row]
            if self._numbered and not problem:
                problem = self._leak(part, first + row, regions[row])
            if not problem:
                kept.append(row)
                continue
            found = ("items", self._row_of[item_id] + 1, item_id, problem)
            if self._stop:
                raise DataError("{}, row {}, {!r}: {}".format(*found))
            self.problems.append(found)
        return kept

    def _leak(self, part: PrecompSplit, image: int, regions: NDArray[np.float32]) -> str:
        where = f"row {image * part.repeats + 1} of {part.images.path}"
        # A number of each region or so is enough to know it by, and costs nothing.
        sample = np.ascontiguousarray(regions.ravel()[:: len(regions)])
        split, there = self._seen.setdefault(row_key(sample), (part.split, where))
        if split == part.split:
            return ""
        return f"{where} equals {there}, so what is tested would be trained on; take it out of one"


def _settings(data: DataSettings) -> PrecompSettings:
    if data.precomp is None:
        raise ConfigError(
            "data.precomp: is missing; source 'scan_precomp' needs it, if only as `precomp: {}`"
        )
    return data.precomp


def _names(settings: PrecompSettings) -> dict[str, str]:
    names = {"train": settings.train, "val": settings.val, "test": settings.test}
    return names_of_splits("data.precomp", names)


def _open(data: DataSettings) -> list[PrecompSplit]:
    settings = _settings(data)
    parts = [
        open_precomp(
            Path(data.root),
            name,
            split,
            settings.captions_per_image,
            settings.val_images if split == "val" else None,
        )
        for split, name in _names(settings).items()
    ]
    first = parts[0].images
    for part in parts[1:]:
        if part.images.row_shape != first.row_shape:
            raise DataError(
                f"{part.images.path}: an image has {part.images.row_shape}, but in {first.path} it "
                f"has {first.row_shape}; all splits must have as many regions, of one width"
            )
    refuse_shared_ids([(part.ids_path or part.captions_path, part.image_ids) for part in parts])
    return parts


def _items(part: PrecompSplit) -> pd.DataFrame:
    return given_items(part.image_ids, part.split)


def _captions(part: PrecompSplit) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "caption_id": part.caption_ids,
            "item_id": part.owners,
            "text": part.texts,
            "kind": KIND,
            "language": "en",
            "problem": part.caption_problems(),
        }
    )
