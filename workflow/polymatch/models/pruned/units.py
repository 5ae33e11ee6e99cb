"""Structured pruning: units of the GRUs and channels of the convolutions are taken out.

Not published. What is left is a smaller dual encoder like any other: smaller on disk and in memory,
and faster wherever the whole one runs. The units of a layer that go are those with the least sum of
magnitudes of all weights that go with them, incoming and outgoing (Li et al., "Pruning Filters for
Efficient ConvNets", ICLR 2017, sum those of the incoming ones; a unit that nothing reads is worth
as little as one that reads nothing). It is the criterion of the unstructured pruning for whole
units, and needs no data. Layers are not compared with each other: their sums are of different
numbers of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from polymatch.errors import ConfigError
from polymatch.models import dual_encoding
from polymatch.settings.dual_encoding import DualEncodingModelSettings

_GATES = 3
_SIDES = {"items": "item", "captions": "caption"}
Weights = dict[str, Tensor]


def without_units(
    model: dual_encoding.Model, rate: float, parts: Sequence[str] | None
) -> tuple[DualEncodingModelSettings, Weights]:
    """Settings and weights of ``model`` without ``round(rate * size)`` units of each layer.

    Both directions of a GRU lose the same number. Convolutions are looked at without the units of
    the GRU that are gone.

    Raises:
        ConfigError: a layer would have no unit left.
    """
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    changed: dict[str, Any] = {}
    for side, prefix in _SIDES.items():
        settings = getattr(model.settings, side)
        level_1 = model.widths[0] if side == "items" else model.widths[1][0]
        layers = _Side(weights, side, prefix, level_1, settings.bidirectional)
        new: dict[str, Any] = {}
        part = f"{prefix}_rnn"
        if parts is None or part in parts:
            new["rnn_size"] = _left(settings.rnn_size, rate, part)
            layers.cut_rnn(settings.rnn_size, new["rnn_size"])
        part = f"{prefix}_convolutions"
        if parts is None or part in parts:
            new["channels"] = [_left(size, rate, part) for size in settings.channels]
            layers.cut_convolutions(settings.channels, new["channels"])
        changed[side] = settings.model_copy(update=new)
    return model.settings.model_copy(update=changed), weights


class _Side:
    """The weights of one side's layers, cut in place in ``weights``."""

    def __init__(
        self, weights: Weights, side: str, prefix: str, level_1: int, bidirectional: bool
    ) -> None:
        self.weights, self.level_1 = weights, level_1
        self.rnn = f"{side}.levels.rnn."
        self.convolutions = f"{side}.levels.convolutions."
        self.linears = [f"{prefix}_{space}.linear.weight" for space in ("latent", "concept")]
        self.directions = ["", "_reverse"] if bidirectional else [""]

    def cut_rnn(self, size: int, left: int) -> None:
        kept = []
        for number, direction in enumerate(self.directions):
            kept.append(_best(self._rnn_importance(size, number, direction), left))
        for direction, units in zip(self.directions, kept, strict=True):
            gates = torch.cat([units + gate * size for gate in range(_GATES)])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                self._take(f"{self.rnn}{name}_l0{direction}", gates, 0)
            self._take(f"{self.rnn}weight_hh_l0{direction}", units, 1)
        read = torch.cat([units + number * size for number, units in enumerate(kept)])
        for name in self._convolution_weights():
            self._take(name, read, 1)
        self._keep_columns(self.level_1, size * len(self.directions), read)

    def cut_convolutions(self, sizes: list[int], left: list[int]) -> None:
        start = self.level_1 + self.weights[self._convolution_weights()[0]].shape[1]
        for number, (size, count) in enumerate(zip(sizes, left, strict=True)):
            name = f"{self.convolutions}{number}."
            incoming = self.weights[f"{name}weight"].abs().sum((1, 2))
            importance = incoming + self.weights[f"{name}bias"].abs() + self._read(start, size)
            channels = _best(importance, count)
            for part in ("weight", "bias"):
                self._take(f"{name}{part}", channels, 0)
            self._keep_columns(start, size, channels)
            start += count

    def _rnn_importance(self, size: int, number: int, direction: str) -> Tensor:
        recurrent = self.weights[f"{self.rnn}weight_hh_l0{direction}"].abs()
        first = number * size
        importance = recurrent.sum(0) + self._read(self.level_1 + first, size)
        for name in ("weight_ih", "bias_ih", "bias_hh"):
            rows = self.weights[f"{self.rnn}{name}_l0{direction}"].abs()
            importance = importance + rows.view(_GATES, size, -1).sum((0, 2))
        importance = importance + recurrent.view(_GATES, size, -1).sum((0, 2))
        for name in self._convolution_weights():
            importance = importance + self.weights[name][:, first : first + size].abs().sum((0, 2))
        return importance

    def _read(self, start: int, size: int) -> Tensor:
        """Sum of the magnitudes of the projections' columns from ``start`` on: [size]."""
        columns = [self.weights[name][:, start : start + size] for name in self.linears]
        return torch.cat(columns).abs().sum(0)

    def _convolution_weights(self) -> list[str]:
        names = [name for name in self.weights if name.startswith(self.convolutions)]
        return [name for name in names if name.endswith("weight")]

    def _keep_columns(self, start: int, size: int, kept: Tensor) -> None:
        for name in self.linears:
            width = self.weights[name].shape[1]
            columns = [torch.arange(start), start + kept, torch.arange(start + size, width)]
            self._take(name, torch.cat(columns), 1)

    def _take(self, name: str, places: Tensor, dimension: int) -> None:
        self.weights[name] = self.weights[name].index_select(dimension, places)


def _best(importance: Tensor, count: int) -> Tensor:
    """The places of the largest, in their order; of equal ones the later."""
    return torch.argsort(importance, stable=True)[len(importance) - count :].sort().values


def _left(size: int, rate: float, part: str) -> int:
    left = size - round(rate * size)
    if left < 1:
        raise ConfigError(
            f"rate: {rate:g} leaves {part} none of its {size} units; lower it, or leave {part} out "
            "of `parts`"
        )
    return left
