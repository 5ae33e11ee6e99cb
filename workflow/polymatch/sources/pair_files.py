"""Pre-encoded pairs as the published code saves them: one row a caption on both sides.

``NAME_image_embeddings.pt`` [P, D] repeats an image's embedding for each of its captions,
``NAME_text_embeddings.pt`` [P, D'] has the captions' own; ``NAME_metadata.json`` says in
``image_ids`` [P] which image a row is of, and may have the words in ``captions`` [P]. The published
split leaves a val whose metadata still has its name from before.

Tensors of any floating type are mapped, and read in blocks as float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.errors import DataError
from polymatch.sources.given_arrays import Rows, checked_list, read_json, read_rows, row_key

NEEDED = (
    "pre-encoded pairs are NAME_image_embeddings.pt, NAME_text_embeddings.pt and NAME_metadata.json"
)
MODELS = ("image_model", "text_model")


@dataclass(frozen=True)
class PairFiles:
    """What the files of one name hold, checked but for the numbers themselves.

    Attributes:
        split: train, val or test.
        metadata: the file that the ids are from.
        images, captions: embeddings of P pairs.
        image_ids: [P].
        texts: [P], the words, or None where the metadata has none.
        models: the encoders that the metadata names, by :data:`MODELS`.
    """

    split: str
    metadata: Path
    images: Rows
    captions: Rows
    image_ids: list[str]
    texts: list[str] | None
    models: dict[str, str]

    @cached_property
    def item_ids(self) -> list[str]:
        """[N]: the images, in order of first appearance."""
        return list(dict.fromkeys(self.image_ids))

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """[N]: the row that each image is first in, ascending."""
        return np.flatnonzero(~pd.Series(self.image_ids).duplicated().to_numpy())

    @cached_property
    def caption_ids(self) -> list[str]:
        """[P]: the image's id and the caption's number among those of its image."""
        numbers = pd.Series(self.image_ids).groupby(self.image_ids).cumcount()
        return [f"{image}-{number}" for image, number in zip(self.image_ids, numbers, strict=True)]

    def image_problems(self) -> dict[str, str]:
        """Image id -> what is wrong with its rows: not finite, zero, or not one embedding."""
        first: dict[str, tuple[int, bytes]] = {}
        found: dict[str, str] = {}
        last_id, last = "", np.empty(0, dtype=np.float32)
        for start, block in self.images.blocks():
            names = self.image_ids[start : start + len(block)]
            wrong = unusable(block)
            repeats = np.zeros(len(block), dtype=bool)
            repeats[1:] = (block[1:] == block[:-1]).all(axis=1)
            repeats[0] = last_id == names[0] and np.array_equal(block[0], last)
            for row, name in enumerate(names):
                where = f"row {start + row + 1} of {self.images.path}"
                if wrong[row]:
                    found.setdefault(name, f"{where} {wrong[row]}; make it again")
                elif not (repeats[row] and last_id == name):
                    before, key = first.setdefault(name, (start + row, row_key(block[row])))
                    if key != row_key(block[row]):
                        found.setdefault(
                            name,
                            f"{where} differs from row {before + 1}, though both are image "
                            f"{name!r}; an image has one embedding, so make it again",
                        )
                last_id = name
            last = block[-1]
        return found

    def caption_problems(self) -> list[str]:
        """[P]: what is wrong with each caption's embedding, or nothing."""
        return [
            problem and f"row {start + row + 1} of {self.captions.path} {problem}; make it again"
            for start, block in self.captions.blocks()
            for row, problem in enumerate(unusable(block))
        ]


def unusable(block: NDArray[np.float32]) -> list[str]:
    """For each row [b, D] why it is no embedding, or nothing."""
    finite = np.asarray(np.isfinite(block).all(axis=1))
    nonzero = np.asarray(np.any(block, axis=1))
    return [
        ""
        if good and there
        else "is zero, without a direction"
        if good
        else "holds NaN or infinity"
        for good, there in zip(finite, nonzero, strict=True)
    ]


def pair_files(root: Path, name: str, split: str) -> list[Path]:
    """The files of one name: image embeddings, text embeddings and metadata.

    Raises:
        DataError: one of them is missing.
    """
    where = f"data.pairs.{split}"
    paths = [root / f"{name}_{side}_embeddings.pt" for side in ("image", "text")]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: no such file ({where}); {NEEDED}")
    for metadata in (root / f"{name}_metadata.json", root / f"{name}2017_metadata.json"):
        if metadata.is_file():
            return [*paths, metadata]
    raise DataError(
        f"{root / name}_metadata.json: no such file ({where}); its image_ids say which rows are of "
        "one image, and without them what is tested would be trained on"
    )


def open_pairs(root: Path, name: str, split: str) -> PairFiles:
    """Open the embeddings of one name and read what is beside them.

    Raises:
        DataError: a file is missing or broken, or two of them contradict each other.
    """
    image_path, text_path, metadata = pair_files(root, name, split)
    images, captions = read_rows(image_path), read_rows(text_path)
    if len(images) != len(captions):
        raise DataError(
            f"{text_path}: {len(captions)} rows, but {image_path.name} has {len(images)}; row i of "
            "both is one pair"
        )
    about = read_json(metadata)
    if not isinstance(about, dict) or "image_ids" not in about:
        raise DataError(
            f"{metadata}: has no image_ids; they say which rows are of one image, and without them "
            "what is tested would be trained on"
        )

    def listed(key: str) -> list[str]:
        rows = f"rows of {images.path.name}"
        return checked_list(about[key], len(images), rows, f"{metadata}, {key}")

    image_ids = listed("image_ids")
    if "" in image_ids:
        raise DataError(
            f"{metadata}, image_ids: entry {image_ids.index('') + 1} is empty; every row needs the "
            "id of its image"
        )
    texts = listed("captions") if "captions" in about else None
    models = {key: str(about[key]) for key in MODELS if key in about}
    return PairFiles(split, metadata, images, captions, image_ids, texts, models)
