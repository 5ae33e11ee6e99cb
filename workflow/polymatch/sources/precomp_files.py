"""One split of SCAN's precomputed data sets: regions, captions and ids, checked as they are read.

``NAME_ims.npy`` [N, R, F] has a row for each image, or the same row again for each of its captions;
which one is told by the number of captions. ``NAME_caps.txt`` has a caption a line, those of an
image beside each other; ``NAME_ids.txt``, if it is there, the image's id a line, for each image or
for each caption, and ``NAME_capids.txt``, if it is, the id of each caption (COCO's own, which other
people's annotations go by). Lines are stripped of white space as bytes, as the published loader
does. COCO has 600,000 captions, so their words are read only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError
from polymatch.sources.given_arrays import Rows, read_lines, read_rows

NEEDED = "SCAN's precomputed sets are NAME_ims.npy, NAME_caps.txt and perhaps NAME_ids.txt"

OPTIONAL = ("ids", "capids")


@dataclass(frozen=True)
class PrecompSplit:
    """What the files of one name hold, checked but for the numbers themselves.

    Attributes:
        split: train, val or test.
        name: what its files are called by.
        captions_path: the file of the captions.
        ids_path: the file of the ids, or None without one: images are called by their numbers then.
        images: regions, ``repeats`` equal rows for each image.
        repeats: one, or as many as an image has captions.
        caption_ids_path: the file of the captions' ids, or None: they are numbered within an image.
        image_ids: [N], of the images that are used: the first ones.
        captions_per_image: captions of each image.
    """

    split: str
    name: str
    captions_path: Path
    ids_path: Path | None
    images: Rows
    repeats: int
    caption_ids_path: Path | None
    image_ids: list[str]
    captions_per_image: int

    @cached_property
    def texts(self) -> list[str]:
        """[M]: the captions of the images that are used, as many for each; DataError if broken."""
        return list(
            islice(read_lines(self.captions_path), len(self.image_ids) * self.captions_per_image)
        )

    @property
    def owners(self) -> list[str]:
        """[M]: the image that each caption is of."""
        return [image for image in self.image_ids for _ in range(self.captions_per_image)]

    @property
    def caption_ids(self) -> list[str]:
        """[M]: those that came with it, or the image's and the number among those of its image."""
        if self.caption_ids_path is not None:
            return list(islice(read_lines(self.caption_ids_path), len(self.texts)))
        numbers = range(self.captions_per_image)
        return [f"{image}.{number}" for image in self.image_ids for number in numbers]

    def caption_problems(self) -> list[str]:
        """[M]: what is wrong with each caption, or nothing."""
        return [
            "" if text else f"line {row + 1} of {self.captions_path} is empty; write the caption"
            for row, text in enumerate(self.texts)
        ]

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32], list[str]]]:
        """First image, regions [b, R, F] and what is wrong with each, block by block.

        Every row is read, once; those of one image are compared.
        """
        used = len(self.image_ids) * self.repeats
        for start, rows in self.images.blocks(used, multiple=self.repeats):
            first = start // self.repeats
            regions = rows[:: self.repeats]
            yield first, regions, self._problems(first, rows, regions)

    def _problems(
        self, first: int, rows: NDArray[np.float32], regions: NDArray[np.float32]
    ) -> list[str]:
        found = [""] * len(regions)
        for repeat in reversed(range(self.repeats)):
            block = rows[repeat :: self.repeats]
            # The extremes tell both without an array of truths as long as the block.
            low, high = block.min(axis=(1, 2)), block.max(axis=(1, 2))
            wrong = ~(np.isfinite(low) & np.isfinite(high))
            zero = (low == 0) & (high == 0)
            other = (
                (block != regions).any(axis=(1, 2)) if repeat else np.zeros(len(block), dtype=bool)
            )
            for image in np.flatnonzero(wrong | zero | other):
                row = (first + int(image)) * self.repeats
                where = f"row {row + repeat + 1} of {self.images.path}"
                if wrong[image]:
                    found[image] = f"{where} holds NaN or infinity; make it again"
                elif zero[image]:
                    found[image] = f"{where} is zero, without a direction; make it again"
                else:
                    found[image] = (
                        f"{where} differs from row {row + 1}, though both are image "
                        f"{self.image_ids[first + int(image)]!r}; an image has its regions once, "
                        "so make it again"
                    )
        return found


def precomp_files(root: Path, name: str, split: str) -> list[Path]:
    """The files of one name: regions, captions and, where they are there, ids of both.

    Raises:
        DataError: one that is needed is missing.
    """
    needed = [root / f"{name}_ims.npy", root / f"{name}_caps.txt"]
    for path in needed:
        if not path.is_file():
            raise DataError(f"{path}: no such file (data.precomp.{split}); {NEEDED}")
    optional = [root / f"{name}_{what}.txt" for what in OPTIONAL]
    return [*needed, *filter(Path.is_file, optional)]


def open_precomp(
    root: Path, name: str, split: str, captions_per_image: int, most: int | None = None
) -> PrecompSplit:
    """Open the regions of one name and read what is beside them.

    Args:
        most: images that are used, the first ones; all if not given.

    Raises:
        DataError: a file is missing or broken, or two of them contradict each other.
    """
    images_path, captions_path, *optional = precomp_files(root, name, split)
    ids_path, caption_ids_path = (
        next((path for path in optional if path.name == f"{name}_{what}.txt"), None)
        for what in OPTIONAL
    )
    images = read_rows(images_path, regions=True)
    with captions_path.open("rb") as file:
        empty, captions = 0, 0
        for captions, line in enumerate(file, start=1):
            empty = empty or (0 if line.strip() else captions)
    if captions % captions_per_image or not captions:
        raise DataError(
            f"{captions_path}: {captions} captions, which is no multiple of "
            f"{captions_per_image} captions an image (data.precomp.captions_per_image)"
            + (f"; line {empty} is empty" if empty else "")
        )
    count = captions // captions_per_image
    if len(images) not in (count, captions):
        shape = tuple(images.array.shape)
        swapped = {count, captions} & set(shape[1:])
        raise DataError(
            f"{images_path}: {len(images)} rows, but {captions_path.name} has {captions} "
            f"captions; there must be {count} rows, one an image, or {captions}, one a caption"
            + (f" (shape {shape}: are its axes in another order?)" if swapped else "")
        )
    if ids_path is None:
        image_ids = [f"{name}-{row:07}" for row in range(count)]
    else:
        image_ids = _image_ids(ids_path, count, captions, captions_path.name)
    if caption_ids_path is not None:
        _check_caption_ids(caption_ids_path, captions, captions_path.name)
    used = count if most is None else min(most, count)
    return PrecompSplit(
        split,
        name,
        captions_path,
        ids_path,
        images,
        len(images) // count,
        caption_ids_path,
        image_ids[:used],
        captions_per_image,
    )


def _image_ids(path: Path, images: int, captions: int, of: str) -> list[str]:
    """[N]: the id of each image, from a line for each or for each of its captions."""
    ids = list(read_lines(path))
    if len(ids) not in (images, captions):
        raise DataError(
            f"{path}: {len(ids)} ids, but {of} has {captions} captions of {images} images; there "
            "must be one id an image or one a caption"
        )
    per_image = len(ids) // images
    lines: dict[str, int] = {}
    for row, image in enumerate(ids):
        if not image:
            raise DataError(f"{path}: line {row + 1} is empty; every image needs its id")
        first = row - row % per_image
        if image != ids[first]:
            raise DataError(
                f"{path}: line {row + 1} is {image!r}, but line {first + 1} is {ids[first]!r}, and "
                f"both are of one image; it has one id on {per_image} lines beside each other"
            )
        if lines.setdefault(image, first) != first:
            raise DataError(
                f"{path}: line {row + 1}: {image!r} is on line {lines[image] + 1} already, for "
                "another image; give every image an id of its own"
            )
    return ids[::per_image]


def _check_caption_ids(path: Path, captions: int, of: str) -> None:
    lines: dict[str, int] = {}
    for number, caption_id in enumerate(read_lines(path), start=1):
        if not caption_id:
            raise DataError(f"{path}: line {number} is empty; every caption needs its id")
        if lines.setdefault(caption_id, number) != number:
            raise DataError(
                f"{path}: line {number}: {caption_id!r} is on line {lines[caption_id]} already; "
                "give every caption an id of its own"
            )
    if len(lines) != captions:
        raise DataError(
            f"{path}: {len(lines)} ids, but {of} has {captions} captions; there must be one for "
            "each, in order"
        )
