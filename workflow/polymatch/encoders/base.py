"""What an encoder is: what it says of itself and the calls it offers.

An encoder is a module of this room with ``INFO`` (:class:`EncoderInfo`) and ``load(device)``
giving an :class:`Encoder`; :func:`polymatch.encoders.load_encoder` finds it by its name, so a new
one is a new file and no edit elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError

Frames = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureShape:
    """Shape of one feature: of an item, or of each of its frames (``per_frame``)."""

    shape: tuple[int, ...]
    per_frame: bool
    meaning: str


@dataclass(frozen=True)
class EncoderInfo:
    """What a frozen encoder gives, and where it comes from.

    Attributes:
        item_features: name of a feature (``pooled``, ``frames``, ``regions``, ``audio``) and its
            shape; with ``audio`` the encoder is a :class:`SoundEncoder`.
        caption_width: width of a caption's feature.
        joint_space: whether items and captions already lie in one space.
        preprocessing: how a picture and a text become the networks' input.
        sha256: name of each pinned file and its SHA-256.
        sound_rate: samples a second of the sound that it takes; None if it takes none.
    """

    name: str
    item_features: Mapping[str, FeatureShape]
    caption_width: int
    joint_space: bool
    preprocessing: str
    licence: str
    citation: str
    revision: str
    sha256: Mapping[str, str]
    sound_rate: int | None = None


class Encoder(Protocol):
    """A loaded encoder; deterministic, and no result depends on what else was in the batch."""

    @property
    def info(self) -> EncoderInfo:
        """What it gives, and where it comes from."""
        ...

    def prepare(self, frames: Frames) -> Frames:
        """Crop and resize the frames of one item [n, H, W, 3]; may run in another thread."""
        ...

    def encode_items(self, items: Sequence[Frames]) -> dict[str, Features]:
        """Features of items, each given by its frames [n, H, W, 3], prepared or not.

        Returns:
            For each of ``info.item_features`` but ``audio`` an array [len(items), *shape], or
            [all frames, *shape] in order where the feature is per frame.
        """
        ...

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Features of texts: [len(texts), caption_width]."""
        ...


@runtime_checkable
class WordEncoder(Protocol):
    """What an encoder may offer beside: vectors of single words, from its own input embeddings."""

    def encode_words(self, words: Sequence[str]) -> Features:
        """Vectors of words: [len(words), D]; a row of NaN for a word that it cannot read."""
        ...


@runtime_checkable
class SoundEncoder(Protocol):
    """What an encoder offers that takes sound: it has ``audio`` among ``info.item_features``."""

    def encode_sounds(self, waves: Sequence[Features]) -> Features:
        """Features of waves [samples] at ``info.sound_rate``: [len(waves), *audio's shape]."""
        ...


def verify_sha256(path: Path, pinned: str, package: str) -> None:
    """Refuse a file of weights that is missing or is not the one that results stand on.

    Raises:
        DataError: names the file, both sums, and the package to install again.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; install {package} again")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != pinned:
        raise DataError(
            f"{path}: SHA-256 is {found}, not the pinned {pinned}; install {package} again"
        )
