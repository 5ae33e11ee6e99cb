"""Finding an encoder by its name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

import torch

from polymatch.device import pick_device
from polymatch.encoders.base import Encoder, EncoderInfo, Features, LoadOptions, WordEncoder
from polymatch.errors import ConfigError
from polymatch.settings.offered import encoder_modules


def encoder_names() -> list[str]:
    """Names of the encoders there are: the modules of this room that are one."""
    return encoder_modules()


def encoder_info(name: str) -> EncoderInfo:
    """What the encoder ``name`` says of itself; loads no weights.

    Raises:
        ConfigError: there is no such encoder.
    """
    if name not in encoder_names():
        raise ConfigError(f"encoder: {name!r} is unknown (known: {', '.join(encoder_names())})")
    return cast(EncoderInfo, importlib.import_module(f"{__package__}.{name}").INFO)


def load_encoder(
    name: str, device: torch.device | str = "auto", options: LoadOptions | None = None
) -> Encoder:
    """Load the encoder ``name`` with its weights onto ``device``.

    One that reads only items, or only captions, has no more than that side's calls.

    Raises:
        ConfigError: there is no such encoder or device, a package it needs is not installed, or
            ``options`` ask for what it cannot do.
        DataError: its weights are missing or not the pinned ones.
    """
    info = encoder_info(name)
    place = pick_device(device) if isinstance(device, str) else device
    try:
        module = importlib.import_module(f"{__package__}.{info.name}")
        return cast(Encoder, module.load(place, options or LoadOptions()))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"encoder {name!r} needs the Python package {error.name!r}, which is not installed; "
            f"run with --sdm conda, or install what envs/{info.environment}.yaml names"
        ) from error


def word_embeddings(encoder: Encoder, words: Sequence[str]) -> Features:
    """Input embeddings of words: [len(words), D], a row of NaN where the encoder has none.

    Raises:
        ConfigError: the encoder gives no vectors of words.
    """
    if not isinstance(encoder, WordEncoder):
        raise ConfigError(
            f"words.vectors: encoder {encoder.info.name!r} gives no vectors of words; name a "
            "BigFile folder of word2vec, or give the encoder a method `encode_words`"
        )
    return encoder.encode_words(words)
