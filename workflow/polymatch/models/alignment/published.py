"""Checkpoints of the published SAF and SGR: what they hold, checked.

Training saves a dict: ``model``, the state dicts of image encoder, text encoder and similarity (of
DAA's code with names that begin with ``module.``, of SGRAF's without), and ``opt``, the command
line. Sizes are told by the weights, and must be what the command line says; what it alone says is
the module, and whether regions and words are normalised.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from polymatch.data.torch_files import read_torch
from polymatch.errors import ConfigError, DataError
from polymatch.models.alignment.part import Part
from polymatch.settings.alignment import AlignmentModelSettings

# Beginnings of published names -> ours.
_NAMES = {
    "image": {"fc.": "regions.linear."},
    "text": {"embed.": "words.embedding.", "cap_rnn.": "words.gru."},
    "similarity": {
        "v_global_w.embedding_local.": "item_pooling.local.",
        "v_global_w.embedding_global.": "item_pooling.mean.",
        "v_global_w.embedding_common.0.": "item_pooling.weight.",
        "t_global_w.embedding_local.": "caption_pooling.local.",
        "t_global_w.embedding_global.": "caption_pooling.mean.",
        "t_global_w.embedding_common.0.": "caption_pooling.weight.",
        "sim_tranloc_w.": "local.",
        "sim_tranglo_w.": "whole.",
        "sim_eval_w.": "score.",
        "SGR_module.": "reasoning.steps.",
        "SAF_module.attn_sim_w.": "filtration.gate.",
        "SAF_module.bn.": "filtration.norm.",
    },
}
_IN_STEPS = {
    ".graph_query_w.": ".query.",
    ".graph_key_w.": ".key.",
    ".sim_graph_w.": ".graph.",
}
_LEFT_OUT = re.compile(r"reasoning\.steps\.\d+\.key\.bias")
_MODULES = {"SAF": "saf", "SGR": "sgr"}
_TRAINING = {"epochs": "num_epochs", "lr": "learning_rate", "clip_norm": "grad_clip"}
_TRAINING |= {"batch_size": "batch_size"}
_LOSS = {"margin": "margin", "hardest": "max_violation", "daa_weight": "daa_weight"}
_ONLY_TRAINING = {"loss", "training", "dropout", "members", "published_checkpoint"}

Weights = dict[str, Tensor]


class Published(NamedTuple):
    """One checkpoint: settings, number and width of regions, size of the vocabulary, weights."""

    settings: AlignmentModelSettings
    regions: tuple[int, int]
    vocabulary: int
    weights: Weights


def read_published(*paths: Path | str) -> list[Published]:
    """Read one checkpoint, or those of SAF and of SGR.

    Raises:
        DataError: a file is not a published checkpoint, or two are not SAF and SGR in this order.
    """
    read = [_read(Path(path)) for path in paths]
    modules = [of_one.settings.module for of_one in read]
    if len(paths) != 1 and modules != ["saf", "sgr"]:
        names = ", ".join(f"{p} ({m})" for p, m in zip(paths, modules, strict=True))
        raise DataError(f"{names}: SGRAF is read from checkpoints of SAF and of SGR, in this order")
    return read


def check_entry(found: AlignmentModelSettings, entry: AlignmentModelSettings) -> None:
    """Check that an entry says what the checkpoint says, but for what only training sees.

    The members of SGRAF tell their sizes themselves: of it the module counts.

    Raises:
        ConfigError: it says otherwise.
    """
    keys = {"module"} if found.module == entry.module == "sgraf" else set(type(found).model_fields)
    keys -= _ONLY_TRAINING | ({"steps"} if found.module == "saf" else set())
    for key in (key for key in type(found).model_fields if key in keys):
        ours, theirs = getattr(found, key), getattr(entry, key)
        if ours != theirs:
            where = (found.published_files or entry.published_files)[0]
            ours, theirs = (str(value).lower() for value in (ours, theirs))
            raise ConfigError(
                f"{where}: has {key} {ours}, but the model's entry says {theirs}; "
                f"set `{key}: {ours}`"
            )


def _read(path: Path) -> Published:
    # The command line is a Namespace, which only holds data.
    checkpoint = read_torch(path, classes=[argparse.Namespace])
    if not isinstance(checkpoint, Mapping) or "model" not in checkpoint:
        has = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, Mapping) else ""
        raise DataError(
            f"{path}: not a checkpoint of the published SAF or SGR, a dict with 'model' "
            f"(it has: {has or type(checkpoint).__name__})"
        )
    states, opt = checkpoint["model"], checkpoint.get("opt")
    if not isinstance(states, list | tuple) or len(states) != 3:
        raise DataError(
            f"{path}, 'model': a {type(states).__name__}, not the list of three state dicts (image "
            "encoder, text encoder, similarity)"
        )
    told = vars(opt) if isinstance(opt, argparse.Namespace) else opt
    if not isinstance(told, Mapping):
        raise DataError(
            f"{path}, 'opt': a {type(opt).__name__}, not the command line of a training"
        )
    weights: Weights = {}
    for (name, names), state in zip(_NAMES.items(), states, strict=True):
        weights |= _renamed(f"{path}, {name}", state, names)
    settings, regions, vocabulary = _described(path, weights, told)
    return Published(
        settings, regions, vocabulary, _checked(path, settings, regions, vocabulary, weights)
    )


def _renamed(where: str, state: Any, names: Mapping[str, str]) -> Weights:
    """A state dict by our names."""
    if not isinstance(state, Mapping):
        raise DataError(f"{where}: a {type(state).__name__}, not a state dict")
    renamed = {}
    for published, tensor in state.items():
        name = str(published).removeprefix("module.")
        if not isinstance(tensor, Tensor):
            raise DataError(f"{where}: {name} is a {type(tensor).__name__}, not a tensor")
        begin = next((begin for begin in names if name.startswith(begin)), None)
        if begin is None:
            raise DataError(
                f"{where}: has {name}, which no published SAF or SGR has (they have "
                f"{', '.join(f'{n}*' for n in names)})"
            )
        ours = names[begin] + name.removeprefix(begin)
        for theirs, own in _IN_STEPS.items():
            ours = ours.replace(theirs, own)
        renamed[ours] = tensor
    return renamed


def _described(
    path: Path, weights: Weights, told: Mapping[str, Any]
) -> tuple[AlignmentModelSettings, tuple[int, int], int]:
    """Settings, regions and vocabulary, as the weights say and the command line confirms."""
    first = _matrix(path, weights, "regions.linear.weight")
    words = _matrix(path, weights, "words.embedding.weight")
    local = _matrix(path, weights, "local.weight")
    norm = weights.get("item_pooling.local.1.weight")
    if norm is None:
        raise DataError(f"{path}: lacks v_global_w.embedding_local.1.weight; save it again")
    steps = {name.split(".")[2] for name in weights if name.startswith("reasoning.")}
    filters = any(name.startswith("filtration.") for name in weights)
    if bool(steps) == filters:
        has = "both SAF_module and" if filters else "neither SAF_module nor"
        raise DataError(f"{path}: has {has} SGR_module; a published model has one of them")
    layers = {n for n in weights if re.fullmatch(r"words\.gru\.weight_ih_l\d+", n)}
    found = {
        "module_name": "SAF" if filters else "SGR",
        "img_dim": first.shape[1],
        "embed_size": first.shape[0],
        "vocab_size": words.shape[0],
        "word_dim": words.shape[1],
        "sim_dim": local.shape[0],
        "num_layers": len(layers),
        "bi_gru": "words.gru.weight_ih_l0_reverse" in weights,
    } | ({"sgr_step": len(steps)} if steps else {})
    for key, value in found.items():
        if key in told and told[key] != value:
            raise DataError(
                f"{path}: its opt says {key} = {told[key]!r}, but its weights are those of "
                f"{value!r}; one of them is of another training"
            )
    raw = {
        "family": "alignment",
        "module": _MODULES[str(found["module_name"])],
        "embed_dim": found["embed_size"],
        "word_dim": found["word_dim"],
        "sim_dim": found["sim_dim"],
        "num_layers": found["num_layers"],
        "bidirectional": found["bi_gru"],
        "normalise_items": not told.get("no_imgnorm", False),
        "normalise_words": not told.get("no_txtnorm", False),
        "loss": _loss(told),
        # Gradients that were not clipped have 0.
        "training": {o: told[t] for o, t in _TRAINING.items() if told.get(t)},
        "published_checkpoint": [str(path)],
    } | ({"steps": len(steps)} if steps else {})
    try:
        settings = AlignmentModelSettings.model_validate(raw)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(map(str, wrong["loc"]))
        raise DataError(
            f"{path}: its opt says {key} = {wrong['input']!r}: {wrong['msg']}"
        ) from None
    return settings, (len(norm), int(first.shape[1])), int(words.shape[0])


def _loss(told: Mapping[str, Any]) -> dict[str, Any]:
    """What it was trained by; SGRAF's code knows no DAA."""
    loss = {ours: told[theirs] for ours, theirs in _LOSS.items() if theirs in told}
    return {"daa_weight": 0, **loss, "published": "daa_weight" in told}


def _matrix(path: Path, weights: Weights, name: str) -> Tensor:
    weight = weights.get(name)
    if weight is None or weight.ndim != 2:
        raise DataError(
            f"{path}: {published_name(name)} is {'missing' if weight is None else 'not a matrix'}"
        )
    return weight


def _checked(
    path: Path,
    settings: AlignmentModelSettings,
    regions: tuple[int, int],
    vocabulary: int,
    weights: Weights,
) -> Weights:
    """The weights of a model of these settings; every name, shape and number checked."""
    with torch.device("meta"):
        wanted = Part(settings, regions, vocabulary).state_dict()
    found = {name: tensor for name, tensor in weights.items() if not _LEFT_OUT.fullmatch(name)}
    absent = sorted(published_name(name) for name in set(wanted) - set(found))
    more = sorted(published_name(name) for name in set(found) - set(wanted))
    if absent or more:
        parts = [f"lacks {', '.join(absent)}"] * bool(absent)
        parts += [f"has also {', '.join(more)}"] * bool(more)
        raise DataError(f"{path}: {' and '.join(parts)}, for a published {settings.module.upper()}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise DataError(
                f"{path}: {published_name(name)} has shape {tuple(tensor.shape)}, not "
                f"{tuple(wanted[name].shape)}, which its other weights ask for"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{path}: {published_name(name)} holds NaN or infinity; train it again")
    return {n: t.float() if t.is_floating_point() else t for n, t in found.items()}


def published_name(name: str) -> str:
    """The published name of one of ours."""
    for published, ours in (pair for names in _NAMES.values() for pair in names.items()):
        if name.startswith(ours):
            name = published + name.removeprefix(ours)
            break
    for published, ours in _IN_STEPS.items():
        name = name.replace(ours, published)
    return name
