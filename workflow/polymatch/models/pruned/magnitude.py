"""Unstructured pruning: the weights of least magnitude, of all layers together, become zero.

Dual Encoding++, ICCE-Asia 2023 (global L1). The share is that of all weights that take part, zeros
among them; of equal magnitudes those of the layer, and of the place in it, that come first go.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from polymatch.errors import ConfigError


def pruned_tensors(parts: Mapping[str, list[nn.Module]], biases: bool) -> list[nn.Parameter]:
    """The weights of modules, with their biases if these take part; layer by layer."""
    return [
        tensor
        for modules in parts.values()
        for module in modules
        for name, tensor in module.named_parameters()
        if "weight" in name or (biases and "bias" in name)
    ]


@torch.no_grad()
def zero_smallest(parts: Mapping[str, list[nn.Module]], rate: float, biases: bool) -> None:
    """Set ``round(rate * number)`` of the weights to zero, in place.

    Raises:
        ConfigError: a layer would have no weight left.
    """
    tensors = pruned_tensors(parts, biases)
    sizes = [tensor.numel() for tensor in tensors]
    magnitudes = torch.cat([tensor.flatten().abs() for tensor in tensors])
    kept = torch.ones_like(magnitudes, dtype=torch.bool)
    if count := round(rate * len(magnitudes)):
        largest = torch.kthvalue(magnitudes, count).values
        kept[magnitudes < largest] = False
        equal = torch.nonzero(magnitudes == largest).flatten()
        kept[equal[: count - int((~kept).sum())]] = False
    for tensor, mask in zip(tensors, kept.split(sizes), strict=True):
        tensor.masked_fill_(~mask.view_as(tensor), 0)
    for part, modules in parts.items():
        for module in modules:
            if not any(bool(t.any()) for t in pruned_tensors({part: [module]}, biases)):
                raise ConfigError(
                    f"rate: {rate:g} leaves a layer of {part} no weight; lower it, or leave "
                    f"{part} out of `parts`"
                )
