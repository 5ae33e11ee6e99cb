"""Vectors of unit length, and layers as the published code starts them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Added to lengths before dividing, as published (``F.normalize`` takes the larger of the two).
TINY = 1e-8


def unit(x: Tensor, dim: int = -1) -> Tensor:
    """``x / (|x| + 1e-8)`` along ``dim``; zeros stay zeros and have no gradient."""
    return x / _lengths(x, dim)


def into_unit(x: Tensor, dim: int = -1) -> Tensor:
    """:func:`unit` of something that nobody else needs: in its own memory, if nothing is learnt."""
    return unit(x, dim) if torch.is_grad_enabled() else x.div_(_lengths(x, dim))


def linear(width: int, output: int, bias: bool = True) -> nn.Linear:
    """A linear layer [width] -> [output], uniform after Xavier, without an offset at first."""
    layer = nn.Linear(width, output, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _lengths(x: Tensor, dim: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim, keepdim=True) + TINY
