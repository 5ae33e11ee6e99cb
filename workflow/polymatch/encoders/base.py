"""What an encoder is: what it says of itself and the calls it offers.

An encoder is a module of this room with ``INFO`` (:class:`EncoderInfo`) and ``load(device,
options)`` giving an object with :class:`ItemEncoder`'s calls, :class:`CaptionEncoder`'s, or both;
:func:`polymatch.encoders.load_encoder` finds it by its name, so a new one is a new file and no edit
elsewhere. Items and captions may be read by different modules (SigLIP's pictures with E5's texts).
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
from polymatch.settings.encoder import Precision

Frames = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureShape:
    """Shape of one feature: of an item, or of each of its frames (``per_frame``).

    ``shape`` is empty in a module's ``INFO`` where it depends on the weights that are loaded.
    """

    shape: tuple[int, ...]
    per_frame: bool
    meaning: str


@dataclass(frozen=True)
class EncoderInfo:
    """What a frozen encoder gives, and where it comes from.

    A module's ``INFO`` says what is known without weights; the ``info`` of a loaded encoder is
    complete.

    Attributes:
        item_features: name of a feature (``pooled``, ``frames``, ``regions``, ``audio``) and its
            shape; empty where the module reads no items. With ``audio`` it is a
            :class:`SoundEncoder`.
        caption_width: width of a caption's feature; None where it depends on the weights, or where
            the module reads no captions.
        joint_space: whether items and captions already lie in one space.
        preprocessing: how a picture and a text become the networks' input.
        sha256: name of each pinned file and its SHA-256.
        reads_captions: whether the module reads captions.
        environment: the file in ``envs`` that has what the module imports, without its suffix.
        sound_rate: samples a second of the sound that it takes; None where it takes none.
        url: the project's page.
    """

    name: str
    item_features: Mapping[str, FeatureShape]
    caption_width: int | None
    joint_space: bool
    preprocessing: str
    licence: str
    citation: str
    revision: str
    sha256: Mapping[str, str]
    reads_captions: bool = True
    environment: str = "encoder"
    sound_rate: int | None = None
    url: str = ""


@dataclass(frozen=True)
class LoadOptions:
    """Which weights to load, and how.

    Attributes:
        model: a name on the model hub, or a local folder or file; None for the module's own.
        revision: commit of the model on the hub.
        precision: ``auto``, ``float32``, ``float16`` or ``bfloat16``; see the section `encoder`.
        download: whether weights that are not there may be fetched.
        data_root: folder that weights without a hub's cache are kept in.
    """

    model: str | None = None
    revision: str | None = None
    precision: Precision = "auto"
    download: bool = False
    data_root: Path = Path("resources")


class ItemEncoder(Protocol):
    """A loaded encoder of items; deterministic, and no result depends on the rest of the batch."""

    @property
    def info(self) -> EncoderInfo:
        """What it gives, and where it comes from."""
        ...

    def prepare(self, frames: Frames) -> Frames:
        """Crop and resize frames [n, H, W, 3], each by itself; may run in another thread."""
        ...

    def encode_items(self, items: Sequence[Frames]) -> dict[str, Features]:
        """Features of items, each given by its frames [n, H, W, 3], prepared or not.

        Returns:
            For each of ``info.item_features`` but ``audio`` an array [len(items), *shape], or
            [all frames, *shape] in order where the feature is per frame.
        """
        ...


class CaptionEncoder(Protocol):
    """A loaded encoder of captions; likewise."""

    @property
    def info(self) -> EncoderInfo:
        """What it gives, and where it comes from."""
        ...

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Features of texts: [len(texts), caption_width]."""
        ...


@runtime_checkable
class SoundEncoder(Protocol):
    """What an encoder of items may offer beside: features of their sound."""

    def encode_sounds(self, waves: Sequence[Features]) -> Features:
        """Features of sounds, each [samples] at ``info.sound_rate``, -1 to 1: [len(waves), D]."""
        ...


class Encoder(ItemEncoder, CaptionEncoder, Protocol):
    """A loaded encoder of both sides."""


@runtime_checkable
class WordEncoder(Protocol):
    """What an encoder may offer beside: vectors of single words, from its own input embeddings."""

    def encode_words(self, words: Sequence[str]) -> Features:
        """Vectors of words: [len(words), D]; a row of NaN for a word that it cannot read."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """What an encoder of captions may offer beside: how long a text is to it."""

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text, begin and end included, and how many of them the network reads."""
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
