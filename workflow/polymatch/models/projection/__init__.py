"""The projection family: one deterministic head for each side, from features into one space.

Heads are modules beside this one, named by their type: ``Head(width, settings)`` maps features
[N, width] to [N, output_dim]. Both sides have a head of one type, with weights and, if the encoders
say so, widths of their own. The similarity is the cosine, unless the head's module has a
``Scorer(settings)``: see :mod:`.cross_modal`.

A learnt temperature (and bias, of the loss `sigmoid`) belongs to the model, so that it is saved,
selected and resumed with the heads. Deviation from the published code, where it is the loss's own
and not in the checkpoint.
"""

from __future__ import annotations

import importlib
import json
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from polymatch.errors import ConfigError
from polymatch.models.model import RetrievalModel
from polymatch.models.projection.published import load_published
from polymatch.settings.model import ModelSettings
from polymatch.settings.projection import ProjectionSettings
from polymatch.settings.projection.sections import LARGEST_SCALE

__all__ = ["Model", "load_published"]

_TRAINING_ONLY = ("dropout", "num_heads")


class Model(RetrievalModel):
    """Two heads and their similarity, ``cosine`` or ``pairwise``."""

    settings: ProjectionSettings
    logit_scale: nn.Parameter | None
    logit_bias: nn.Parameter | None

    def __init__(self, settings: ProjectionSettings, item_width: int, caption_width: int) -> None:
        super().__init__(settings, item_width, caption_width)
        module = importlib.import_module(f"{__name__}.{settings.head.type}")
        self.items: nn.Module = module.Head(item_width, settings.head)
        self.captions: nn.Module = module.Head(caption_width, settings.head)
        self.scorer: Any = module.Scorer(settings.head) if hasattr(module, "Scorer") else None
        learnt = settings.learns_temperature
        scale = nn.Parameter(torch.tensor(-math.log(settings.loss.tau))) if learnt else None
        bias = nn.Parameter(torch.tensor(settings.loss.first_bias)) if learnt else None
        self.register_parameter("logit_scale", scale)
        self.register_parameter("logit_bias", bias if settings.loss.learns_bias else None)

    def encode_items(self, features: Tensor) -> Tensor:
        return self._unit(self.items(features))

    def encode_captions(self, features: Tensor) -> Tensor:
        return self._unit(self.captions(features))

    def similarity(self, items: Any, captions: Tensor, kind: str | None = None) -> Tensor:
        if self.scorer is None:
            return items @ captions.T
        prepared = self.prepare_items(items, kind) if isinstance(items, Tensor) else items
        return self.scorer(prepared, self.scorer.prepare_captions(captions))

    def prepare_items(self, items: Tensor, kind: str | None = None) -> Any:
        if kind not in (None, *self.settings.scored_by):
            raise ConfigError(
                f"similarity {kind!r} is not this model's, which is {self.settings.scored_by[0]!r}"
            )
        return items if self.scorer is None else self.scorer.prepare_items(items)

    def item_points(self, items: Tensor, kind: str | None = None) -> Tensor:
        """What the heads give, where it is compared by cosines."""
        return items if self.scorer is None else super().item_points(items, kind)

    def _unit(self, encoded: Tensor) -> Tensor:
        # A scorer adds them up: their lengths count.
        return F.normalize(encoded, dim=-1) if self.scorer is None else encoded

    def logits(self, similarity: Tensor) -> Tensor:
        """Return ``similarity / temperature + bias``, which the losses are about; of any shape.

        A learnt scale is kept at 100 or below, as CLIP's, by clamping the parameter itself: a clamp
        of the value would leave it without a gradient, and so there for good.
        """
        bias = self.settings.loss.first_bias if self.logit_bias is None else self.logit_bias
        if self.logit_scale is None:
            return similarity / self.settings.loss.tau + bias
        with torch.no_grad():
            self.logit_scale.clamp_(max=math.log(LARGEST_SCALE))
        return similarity * self.logit_scale.exp() + bias

    @property
    def temperature(self) -> Tensor:
        """The present temperature, a number without gradient."""
        if self.logit_scale is None:
            return torch.tensor(self.settings.loss.tau)
        return 1 / self.logit_scale.detach().exp().clamp(max=LARGEST_SCALE)

    def adopt(self, settings: ModelSettings) -> None:
        assert isinstance(settings, ProjectionSettings)  # the family's own
        ours, theirs = self.settings.head.model_dump(), settings.head.model_dump()
        path, kind = settings.published_checkpoint, ours["type"]
        if theirs["type"] != kind:
            raise ConfigError(
                f"{path}: has a head of type {kind}, but the model's entry says "
                f"{theirs['type']}; set `head.type: {kind}`"
            )
        # A hidden_dim that is left out may be the one that is written there: shapes decide. What
        # only training sees (dropout, and heads of attention to one token) may differ.
        with torch.device("meta"):
            wanted = Model(settings, *self.widths)
        if _shapes(wanted) != _shapes(self):
            key = next(
                key for key in ours if key not in _TRAINING_ONLY and ours[key] != theirs[key]
            )
            raise ConfigError(
                f"{path}: has {key} {json.dumps(ours[key])}, but the model's entry says "
                f"{json.dumps(theirs[key])}; set `head.{key}: {json.dumps(ours[key])}`"
            )
        self.settings = settings


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
