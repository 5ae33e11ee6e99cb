"""Checkpoints of the published projection heads: what they hold, checked.

Training saves a dict ``best_model.pt``: ``config``, ``image_head_state`` and ``text_head_state``;
of the head `cross_modal` the first holds both sides. Tuning saves ``model`` and ``text_model``,
with the config beside it in ``cfg.yaml``. Names may begin with ``module.``.

What scoring has no use for is left out: BLIP's copy that follows slowly, query and key layers of
attention to one token, and the temperature that CLIP's heads of August 2025 hold, which the
settings take over where the loss `clip` made use of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ValidationError
from torch import Tensor

from polymatch.data.torch_files import read_torch
from polymatch.errors import ConfigError, DataError
from polymatch.models.model import RetrievalModel, build_model
from polymatch.settings.projection import HEADS, ProjectionSettings

_MLP = {"layers.": "projection."}
# Our names -> published ones, for each type.
_NAMES = {
    "mlp": _MLP,
    "clip": _MLP,
    "align": _MLP,
    "blip": _MLP,
    "siglip": {"norm.": "layer_norm.", "linear.": "projection."},
    "attention": {"attention.": "attention_layers.", "norms.": "layer_norms."}
    | {"final.": "final_proj."},
    "cross_modal": {"items.linear.": "image_proj.", "captions.linear.": "text_proj."}
    | {"scorer.image.attention.": "img_to_txt_attn.", "scorer.text.attention.": "txt_to_img_attn."}
    | {"scorer.image.norm1.": "img_norm.", "scorer.text.norm1.": "txt_norm."}
    | {"scorer.image.linear.": "img_final.0.", "scorer.text.linear.": "txt_final.0."}
    | {"scorer.image.norm2.": "img_final.1.", "scorer.text.norm2.": "txt_final.1."},
}
_ATTENTION = {"value.": "in_proj_", "out.": "out_proj."}
# The weight whose second dimension is the width of the features; `projection.0.weight` in others.
_FIRST = {"siglip": "projection.weight", "attention": "attention_layers.0.in_proj_weight"}
_LEFT_OUT = {"blip": "momentum_projection.", "clip": "logit_scale"}
_LOSSES = {"softmax_infonce": "softmax", "clip": "softmax", "queue_infonce": "queue"}
_LOSSES |= {"align": "align", "blip": "blip"}
_TRAINING = {"epochs": "num_epochs", "lr": "learning_rate", "clip_norm": "max_grad_norm"}
_TRAINING |= {name: name for name in ("batch_size", "weight_decay", "patience")}

State = dict[str, Any]


def load_published(path: Path | str) -> RetrievalModel:
    """Return the model that a checkpoint of the published code holds, ready to encode.

    Its image head encodes items, its text head captions. Settings are those of its config, as far
    as it has them.

    Raises:
        DataError: a file is missing, broken, or not one of the published code; what is wrong with
            it is named.
    """
    path = Path(path)
    config, sides = _sides(path)
    told = _section(path, config, "model")
    kind = str(told.get("type"))
    if kind not in _NAMES:
        raise DataError(
            f"{path}: its config says model.type = {told.get('type')!r}, which is no published "
            f"head; known: {', '.join(sorted(_NAMES))}"
        )
    if kind == "cross_modal":
        firsts = ["image_proj.weight", "text_proj.weight"]
        sides = [sides[0]]
        widths = [_width(*sides[0], name) for name in firsts]
    elif len(sides) < 2:
        raise DataError(f"{path}: no 'text_head_state' in it, which a head of type {kind} needs")
    else:
        widths = [_width(*side, _FIRST.get(kind, "projection.0.weight")) for side in sides]
    settings = _settings(path, config, kind, sides[0][1])
    try:
        model = build_model(settings, *widths)
    except ConfigError as error:
        raise DataError(f"{path}: {error}") from None
    model.load_state_dict(_weights(model, kind, sides))
    return model.eval()


def _sides(path: Path) -> tuple[Mapping[str, Any], list[tuple[str, State]]]:
    """The config, and of each side that there is where it is from and its state dict."""
    checkpoint = read_torch(path)
    if not isinstance(checkpoint, Mapping):
        raise DataError(
            f"{path}: holds a {type(checkpoint).__name__}, not the dict of a published checkpoint"
        )
    if "image_head_state" in checkpoint:
        names, config, where = ("image_head_state", "text_head_state"), checkpoint.get("config"), ""
    elif "model" in checkpoint and "text_model" in checkpoint:
        names, where = ("model", "text_model"), f" ({path.with_name('cfg.yaml')})"
        config = _yaml(path.with_name("cfg.yaml"))
    else:
        raise DataError(
            f"{path}: neither 'image_head_state' nor 'model' and 'text_model' in it, so not a "
            "checkpoint of the published heads "
            f"(it has: {', '.join(map(str, checkpoint)) or 'nothing'})"
        )
    if not isinstance(config, Mapping):
        raise DataError(f"{path}: its config{where} is a {type(config).__name__}, not a mapping")
    sides = []
    for name in names:
        state = checkpoint.get(name)
        if state is None and name == "text_head_state":
            continue
        if not isinstance(state, Mapping):
            raise DataError(f"{path}, {name!r}: a {type(state).__name__}, not a state dict")
        named = {str(key).removeprefix("module."): tensor for key, tensor in state.items()}
        sides.append((f"{path}, {name!r}", named))
    return config, sides


def _section(path: Path, config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name) or {}
    if not isinstance(section, Mapping):
        raise DataError(f"{path}: its config says {name} = {section!r}, which is not a mapping")
    return section


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; a checkpoint of the tuning needs its config beside it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not YAML ({str(error).splitlines()[0]})") from None


def _width(where: str, state: State, name: str) -> int:
    weight = state.get(name)
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise DataError(f"{where}: {name} is {'missing' if weight is None else 'not a matrix'}")
    return int(weight.shape[1])


def _weights(model: RetrievalModel, kind: str, sides: list[tuple[str, State]]) -> dict[str, Tensor]:
    """The weights by our names; every published name and shape checked against the model's."""
    weights: dict[str, Tensor] = {}
    own = ["items.", "captions."] if len(sides) == 2 else [""]
    for side, (where, state) in zip(own, sides, strict=True):
        shapes = {n: t.shape for n, t in model.state_dict().items() if n.startswith(side)}
        published = {_published_name(kind, name.removeprefix(side)): name for name in shapes}
        left_out = _LEFT_OUT.get(kind, "/")  # in no name
        found = {name: tensor for name, tensor in state.items() if not name.startswith(left_out)}
        absent, more = sorted(set(published) - set(found)), sorted(set(found) - set(published))
        if absent or more:
            parts = [f"lacks {', '.join(absent)}"] * bool(absent)
            parts += [f"has also {', '.join(more)}"] * bool(more)
            raise DataError(
                f"{where}: {' and '.join(parts)}; a published head of type {kind} with its "
                f"config has {', '.join(published)}"
            )
        for theirs, name in published.items():
            weights[name] = _checked(where, theirs, found[theirs], shapes[name])
    return weights


def _checked(where: str, name: str, tensor: Any, shape: torch.Size) -> Tensor:
    """A tensor as ours takes it: of one that holds query, key and value, the last third."""
    stacked = "in_proj_" in name
    wanted = (3 * shape[0], *shape[1:]) if stacked else tuple(shape)
    found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
    if found != wanted:
        raise DataError(
            f"{where}: {name} has shape {found}, not {wanted}, which its config asks for"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise DataError(f"{where}: {name} holds NaN or infinity; train it again")
    tensor = tensor[-shape[0] :] if stacked else tensor
    return tensor.float() if tensor.is_floating_point() else tensor


def _published_name(kind: str, name: str) -> str:
    for ours, theirs in _NAMES[kind].items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    if kind in ("attention", "cross_modal"):
        for ours, theirs in _ATTENTION.items():
            name = name.replace(f".{ours}", f".{theirs}")
    return name


def _settings(path: Path, config: Mapping[str, Any], kind: str, state: State) -> ProjectionSettings:
    """The settings that the config tells; ours by default for the others."""
    told, of_loss, of_training = (
        _section(path, config, name) for name in ("model", "loss", "training")
    )
    names = set(HEADS[kind].model_fields)
    if kind == "attention":  # it reads a hidden_dim and makes no use of it
        names.remove("hidden_dim")
    # Sigmoid is what the published code takes where nothing else is said. Nothing is learnt here.
    name = _LOSSES.get(str(of_loss.get("type")), "sigmoid")
    loss: dict[str, Any] = {"type": name, "learnable": False}
    scale = state.get("logit_scale") if of_loss.get("type") == "clip" else None
    if isinstance(scale, Tensor) and scale.numel() == 1 and bool(scale.isfinite()):
        loss["tau"] = math.exp(-float(scale))
    elif of_loss.get("temperature") is not None:
        loss["tau"] = of_loss["temperature"]
    raw = {
        "family": "projection",
        "head": {key: value for key, value in told.items() if key in names},
        "loss": loss,
        "training": {o: of_training[t] for o, t in _TRAINING.items() if t in of_training},
        "published_checkpoint": str(path),
    }
    try:
        return ProjectionSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in (kind, name))
        reason = f"{first['input']!r}: {first['msg']}"
        raise DataError(f"{path}: its config says {key} = {reason}") from None
