"""Vectors of unit length, and layers as the published code starts them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Added to lengths before dividing, as published (``F.normalize`` takes the larger of the two).
TINY = 1e-8


def unit(x: Tensor, dim: int = -1) -> Tensor:
    """``x / (|x| + 1e-8)`` along ``dim``; zeros stay zeros and have no gradient."""
    return _Unit.apply(x, dim) if torch.is_grad_enabled() else x / _lengths(x, dim)


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


class _Unit(torch.autograd.Function):
    """:func:`unit` that keeps its result alone, which the next layer keeps anyway.

    With n = |x| + e, the gradient of x is (g - y (g . y) n / |x|) / n. Derived by torch it is three
    times as many passes, and they are a good part of a training.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        lengths = _lengths(x, dim)
        y = x / lengths
        ctx.dim = dim
        ctx.save_for_backward(y, lengths)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        y, lengths = ctx.saved_tensors
        along = (gradient * y).sum(ctx.dim, keepdim=True)
        along *= lengths / (lengths - TINY).clamp(min=TINY)
        inverse = torch.where(lengths > TINY, 1 / lengths, 0)
        return torch.addcmul(gradient, y, along, value=-1).mul_(inverse), None


def _lengths(x: Tensor, dim: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim, keepdim=True) + TINY
