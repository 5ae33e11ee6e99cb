"""Checkpoints of the published probabilistic code: what they hold, checked.

``train_pcme_projector.py`` and ``train_poly_projector.py`` save a dict with the state dicts
``text`` and ``video`` (``text_proj`` and ``video_proj`` in some), ``config`` (the command line)
and, of the second, ``poly``. An ``audio`` projector is passed over: nothing here scores it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from polymatch.data.torch_files import read_torch
from polymatch.errors import DataError
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import PolynomialSurrogate, surrogate_from_published

# Published layer -> ours.
_LAYERS = {
    f"{name}_proj.{layer}.{part}": f"{name}.{layer}.{part}"
    for name in ("mu", "logvar")
    for layer in (0, 3)
    for part in ("weight", "bias")
}
_SIDES = {"items": ("video", "video_proj"), "captions": ("text", "text_proj")}
_LOSSES = {"pcme_mc": "sampled", "deterministic": "mean"}
_VARIANCES = {"upper_bound": "upper", "lower_bound": "lower"}


class Published(NamedTuple):
    """A checkpoint: settings as far as it tells them, weights by our names, width, surrogate."""

    settings: ProbabilisticSettings
    weights: dict[str, Tensor]
    width: int
    surrogate: PolynomialSurrogate | None


def read_published(path: Path | str, poly: Path | str | None = None) -> Published:
    """Read a checkpoint, and ``poly``, the file of its polynomial, if that is apart.

    Raises:
        DataError: a file is missing, not of torch, or lacks something; shapes do not fit.
    """
    path = Path(path)
    # Command lines are saved as plain dicts; some save the Namespace itself, which only holds data.
    checkpoint = read_torch(path, classes=[argparse.Namespace])
    if not isinstance(checkpoint, Mapping):
        raise DataError(
            f"{path}: holds a {type(checkpoint).__name__}, not the dict of a published checkpoint"
        )
    weights: dict[str, Tensor] = {}
    for ours, theirs in _SIDES.items():
        side = next((name for name in theirs if name in checkpoint), None)
        if side is None:
            raise DataError(
                f"{path}: no {' or '.join(map(repr, theirs))} in it, so not a checkpoint of the "
                f"published projectors (it has: {', '.join(map(str, checkpoint)) or 'nothing'})"
            )
        state = _state(checkpoint[side], f"{path}, {side!r}")
        weights |= {f"{ours}.{name}": tensor for name, tensor in state.items()}
    hidden, width = weights["items.mu.0.weight"].shape
    if weights["captions.mu.0.weight"].shape != (hidden, width):
        raise DataError(
            f"{path}: video has {tuple(weights['items.mu.0.weight'].shape)} and text "
            f"{tuple(weights['captions.mu.0.weight'].shape)}; both sides must be of one shape"
        )
    surrogate = None
    if poly is not None:
        surrogate = surrogate_from_published(read_torch(poly), str(poly))
    elif checkpoint.get("poly") is not None:
        surrogate = surrogate_from_published(checkpoint["poly"], f"{path}, 'poly'")
    settings = _settings(path, poly, checkpoint.get("config"), int(hidden), surrogate)
    return Published(settings, weights, int(width), surrogate)


def _state(state: Any, where: str) -> dict[str, Tensor]:
    """One side's weights by our names, all shapes checked against the first layer's."""
    if not isinstance(state, Mapping):
        raise DataError(f"{where}: a {type(state).__name__}, not a state dict")
    named = {str(name).removeprefix("module."): tensor for name, tensor in state.items()}
    absent, more = sorted(set(_LAYERS) - set(named)), sorted(set(named) - set(_LAYERS))
    if absent or more:
        parts = [f"lacks {', '.join(absent)}"] * bool(absent)
        parts += [f"has also {', '.join(more)}"] * bool(more)
        raise DataError(
            f"{where}: {' and '.join(parts)}; a published projector has {', '.join(_LAYERS)}"
        )
    first = named["mu_proj.0.weight"]
    if not isinstance(first, Tensor) or first.ndim != 2:
        raise DataError(f"{where}: mu_proj.0.weight is not a matrix")
    hidden, width = first.shape
    shapes = {"0.weight": (hidden, width), "0.bias": (hidden,)}
    shapes |= {"3.weight": (width, hidden), "3.bias": (width,)}
    for name, tensor in named.items():
        wanted = shapes[name.partition(".")[2]]
        shape = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        if shape != wanted:
            raise DataError(
                f"{where}: {name} has shape {shape}, not {wanted}, which mu_proj.0.weight "
                f"{(hidden, width)} asks for"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{where}: {name} holds NaN or infinity; train it again")
    return {ours: named[theirs].float() for theirs, ours in _LAYERS.items()}


def _settings(
    path: Path,
    poly: Path | str | None,
    config: Any,
    hidden: int,
    surrogate: PolynomialSurrogate | None,
) -> ProbabilisticSettings:
    """The settings that the command line tells; ours by default for the others."""
    told = dict(vars(config) if isinstance(config, argparse.Namespace) else config or {})
    training = {"epochs": "epochs", "lr": "lr", "batch_size": "batch_size"}
    variance = {"weight": "var_reg_weight"}
    variance |= {name: name for name in ("max_var", "min_var", "target_sigma")}
    kind = told.get("var_reg_type")
    raw = {
        "family": "probabilistic",
        "loss": "poly" if surrogate else _LOSSES.get(told.get("loss_type", ""), "sampled"),
        "similarities": [*(["poly"] if surrogate else []), "mean", "mc", "closed"],
        "hidden": hidden,
        "training": _known(told, training),
        "variance": _known(told, variance) | ({"kind": _VARIANCES.get(kind, kind)} if kind else {}),
        **_known(told, {"tau": "temperature", "K_train": "n_samples"}),
        **({"degree": surrogate.degree} if surrogate else {}),
        "published": True,
        "published_checkpoint": str(path),
        "published_poly": None if poly is None else str(poly),
    }
    if raw.get("K_train") == 0:  # the published way to say that the polynomial is not sampled
        del raw["K_train"]
    try:
        return ProbabilisticSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{path}: its config says {key} = {first['input']!r}: {first['msg']}"
        ) from None


def _known(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: told[theirs] for ours, theirs in names.items() if told.get(theirs) is not None}
