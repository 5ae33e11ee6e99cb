"""Checkpoints of the published Dual Encoding++: what they hold, checked.

Training saves a dict: ``args``, what the model was built from, and ``state_dict``. Sizes are told
by the weights, and must be what ``args`` says where it says it (older checkpoints do not tell in
how many directions a GRU reads); what it alone says is alpha and the dropouts. Among it is the
array that the word embedding started from, which is read and dropped: the trained one is in the
weights. What the published pruning writes is such a file too, with zeros among its weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from polymatch.data.torch_files import read_torch
from polymatch.errors import ConfigError, DataError
from polymatch.settings.dual_encoding import DualEncodingModelSettings

# Published names -> ours.
_NAMES = {
    r"video_encoder\.rnn_embedding\.rnn\.": "items.levels.rnn.",
    r"video_encoder\.cnn_embedding\.cnns\.(\d+)\.0\.": r"items.levels.convolutions.\1.",
    r"text_encoder\.embedding\.": "captions.embedding.",
    r"text_encoder\.rnn_embedding\.rnn\.": "captions.levels.rnn.",
    r"text_encoder\.cnn_embedding\.cnns\.(\d+)\.0\.": r"captions.levels.convolutions.\1.",
    r"space_lat\.video_projection\.linear\.": "item_latent.linear.",
    r"space_lat\.video_projection\.batch_norm\.": "item_latent.norm.",
    r"space_lat\.text_projection\.linear\.": "caption_latent.linear.",
    r"space_lat\.text_projection\.batch_norm\.": "caption_latent.norm.",
    r"space_con\.video_projection\.linear\.": "item_concept.linear.",
    r"space_con\.video_projection\.batch_norm\.": "item_concept.norm.",
    r"space_con\.text_projection\.linear\.": "caption_concept.linear.",
    r"space_con\.text_projection\.batch_norm\.": "caption_concept.norm.",
}
_SIDES = {"items": ("video_encoder", "vid"), "captions": ("text_encoder", "text")}
_BATCHES = "num_batches_tracked"
# What an array of numbers is made of, by its names in NumPy 1 and 2; no function among it runs
# anything that the file brings.
_ARRAYS: list[Any] = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8")),
    *(
        (np.ndarray.__reduce__(np.zeros(0))[0], f"numpy.{core}.multiarray._reconstruct")
        for core in ("core", "_core")
    ),
]
_ONLY_TRAINING = {
    "loss",
    "training",
    "pad_zero",
    "word_vectors",
    "similarities",
    "published_checkpoint",
}
_ONLY_TRAINING_OF_SIDE = {"dropout_latent", "dropout_concept"}

Weights = dict[str, Tensor]


class Published(NamedTuple):
    """One checkpoint: settings, width of frames, (words, tags), and weights by our names."""

    settings: DualEncodingModelSettings
    frame_width: int
    caption_width: tuple[int, int]
    weights: Weights


def read_published(path: Path | str) -> Published:
    """Read one checkpoint, whose weights :func:`checked_weights` takes.

    Raises:
        DataError: it is not a published checkpoint; what is wrong with it is named.
    """
    path = Path(path)
    checkpoint = read_torch(path, classes=_ARRAYS)
    parts = checkpoint if isinstance(checkpoint, Mapping) else {}
    for key in ("args", "state_dict"):
        if not isinstance(parts.get(key), Mapping):
            has = ", ".join(map(str, parts)) or type(checkpoint).__name__
            raise DataError(
                f"{path}: not a checkpoint of the published Dual Encoding++, a dict of the dicts "
                f"'args' and 'state_dict' (it has: {has})"
            )
    weights = _renamed(path, parts["state_dict"])
    settings, found = _described(path, weights, parts["args"])
    widths = found["vocab_size"], found["tag_vocab_size"]
    return Published(settings, found["frame_feature_dim"], widths, weights)


def checked_weights(published: Published, expected: Weights) -> Weights:
    """The weights, for a model of these settings, whose ``expected`` ones have names and shapes.

    Raises:
        DataError: a name, a shape or a number is wrong.
    """
    path, weights = published.settings.published_checkpoint, published.weights
    absent = sorted(published_name(n) for n in set(expected) - set(weights) if _BATCHES not in n)
    more = sorted(published_name(name) for name in set(weights) - set(expected))
    if absent or more:
        parts = [f"lacks {', '.join(absent)}"] * bool(absent)
        parts += [f"has also {', '.join(more)}"] * bool(more)
        raise DataError(f"{path}: {' and '.join(parts)}, for a published Dual Encoding++")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise DataError(
                f"{path}: {published_name(name)} has shape {tuple(tensor.shape)}, not "
                f"{tuple(expected[name].shape)}, which its other weights ask for"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{path}: {published_name(name)} holds NaN or infinity; train it again")
    # Counters of batches, without influence, may be missing.
    return expected | {n: t.float() if t.is_floating_point() else t for n, t in weights.items()}


def check_entry(found: DualEncodingModelSettings, entry: DualEncodingModelSettings) -> None:
    """Check that an entry says what the checkpoint says, but for what only training sees.

    Raises:
        ConfigError: it says otherwise.
    """
    pairs = [("", found, entry, _ONLY_TRAINING | {"items", "captions"})] + [
        (f"{side}.", getattr(found, side), getattr(entry, side), _ONLY_TRAINING_OF_SIDE)
        for side in _SIDES
    ]
    for prefix, ours, theirs, left_out in pairs:
        for key in type(ours).model_fields:
            have, told = getattr(ours, key), getattr(theirs, key)
            if key not in left_out and have != told:
                have, told = (str(value).lower() for value in (have, told))
                raise ConfigError(
                    f"{found.published_checkpoint}: has {prefix}{key} {have}, but the model's "
                    f"entry says {told}; set `{prefix}{key}: {have}`"
                )


def published_name(name: str) -> str:
    """The published name of one of ours."""
    for published, ours in _NAMES.items():
        begin = re.escape(ours).replace(r"\\1", r"(\d+)")
        if match := re.match(begin, name):
            plain = published.replace("\\.", ".")
            number = match[1] if match.groups() else ""
            return plain.replace(r"(\d+)", number) + name[match.end() :]
    return name


def _renamed(path: Path, state: Mapping[Any, Any]) -> Weights:
    """A state dict by our names."""
    renamed = {}
    for key, tensor in state.items():
        name = str(key).removeprefix("module.")
        if not isinstance(tensor, Tensor):
            raise DataError(f"{path}: {name} is a {type(tensor).__name__}, not a tensor")
        for published, ours in _NAMES.items():
            own, replaced = re.subn(f"^{published}", ours, name)
            if replaced:
                renamed[own] = tensor
                break
        else:
            raise DataError(f"{path}: has {name}, which no published Dual Encoding++ has")
    return renamed


def _described(
    path: Path, weights: Weights, told: Mapping[Any, Any]
) -> tuple[DualEncodingModelSettings, dict[str, Any]]:
    """Settings and sizes, as the weights say and ``args`` confirms."""

    def shape(name: str, dimensions: int = 2) -> tuple[int, ...]:
        if name not in weights or weights[name].ndim != dimensions:
            wrong = f"not of {dimensions} dimensions" if name in weights else "missing"
            raise DataError(f"{path}: {published_name(name)} is {wrong}")
        return tuple(weights[name].shape)

    words, word_dim = shape("captions.embedding.weight")
    found: dict[str, Any] = {
        "embed_dim_lat": shape("item_latent.linear.weight")[0],
        "tag_vocab_size": shape("item_concept.linear.weight")[0],
        "frame_feature_dim": shape("items.levels.rnn.weight_ih_l0")[1],
        "vocab_size": words,
    }
    raw: dict[str, Any] = {}
    for side, (_, prefix) in _SIDES.items():
        begin = f"{side}.levels."
        numbers = sorted(
            int(match[1])
            for name in weights
            if (match := re.fullmatch(rf"{re.escape(begin)}convolutions\.(\d+)\.weight", name))
        )
        sizes = [shape(f"{begin}convolutions.{number}.weight", 3) for number in numbers]
        of_side = {
            "rnn_hidden_size": shape(f"{begin}rnn.weight_ih_l0")[0] // 3,
            "rnn_bidirectional": f"{begin}rnn.weight_ih_l0_reverse" in weights,
            "cnn_out_channels_list": [size[0] for size in sizes],
            "cnn_filter_size_list": [size[2] for size in sizes],
        }
        found |= {f"{prefix}_{key}": value for key, value in of_side.items()}
        raw[side] = dict(
            zip(("rnn_size", "bidirectional", "channels", "kernels"), of_side.values(), strict=True)
        )
        for space, key in (("latent", "lat"), ("concept", "con")):
            if (dropout := told.get(f"{prefix}_dp_rate_{key}")) is not None:
                raw[side][f"dropout_{space}"] = dropout
    for key, value in found.items():
        if key in told and told[key] != value:
            raise DataError(
                f"{path}: its args say {key} = {told[key]!r}, but its weights are those of "
                f"{value!r}; one of them is of another training"
            )
    if "alpha" not in told:
        raise DataError(f"{path}: its args lack alpha, which no weight tells; save it again")
    raw |= {
        "family": "dual_encoding",
        "alpha": told["alpha"],
        "embed_dim": found["embed_dim_lat"],
        "word_dim": word_dim,
        "pad_zero": not bool(weights["captions.embedding.weight"][0].any()),
        "published_checkpoint": str(path),
    }
    try:
        return DualEncodingModelSettings.model_validate(raw), found
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(map(str, wrong["loc"]))
        raise DataError(
            f"{path}: its args say {key} = {wrong['input']!r}: {wrong['msg']}"
        ) from None
