"""Similarities of the two spaces and their sum: cosine, Jaccard, both scaled to 0 to 1.

Dong et al., TPAMI 2021, equation 10: of two rows of probabilities, the sum of their minima divided
by the sum of their maxima. The maxima need not be looked at: min + max = x + y.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from polymatch.errors import NumericsError

_COLUMNS = 128  # rows of y whose numbers stay in the inner cache


def jaccard_similarity(x: Tensor, y: Tensor) -> Tensor:
    """Jaccard similarity of every row of ``x`` with every row of ``y``: [N, M], from 0 to 1.

    Args:
        x: [N, D], values >= 0. y: [M, D], likewise.

    Two rows of zeros are the same, 1. Where x and y are equal, their minimum has half of its
    gradient from each, as ``torch.minimum`` has it.

    Raises:
        NumericsError: the shapes do not fit.

    >>> x, y = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.5, 0.5], [1.0, 0.5]])
    >>> jaccard_similarity(x, y).tolist()
    [[0.6666666865348816, 1.0]]
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise NumericsError(
            f"Jaccard similarity is of two matrices of one width, not {list(x.shape)} and "
            f"{list(y.shape)}"
        )
    return _Jaccard.apply(x, y)


def fused_similarity(parts: list[tuple[Tensor, float]]) -> Tensor:
    """Weighted sum of matrices [N, M], each (x - min) / (max - min) over the whole of it.

    A matrix of one number is all zero then.
    """
    total = torch.zeros_like(parts[0][0])
    for matrix, weight in parts:
        low, high = matrix.aminmax()
        span = torch.where(high > low, high - low, 1)
        total = total + weight * (matrix - low) / span
    return total


class _Jaccard(torch.autograd.Function):
    """A block of pairs at a time, whose minima stay in a cache, and again on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        minima = x.new_empty(len(x), len(y))
        rows, columns = _block(x, y)
        held = x.new_empty(rows * columns * x.shape[1])
        for i, j in _blocks(x, y):
            shape = (len(x[i]), len(y[j]), x.shape[1])
            smaller = held[: shape[0] * shape[1] * shape[2]].view(shape)
            torch.minimum(x[i, None], y[j], out=smaller)
            torch.sum(smaller, 2, out=minima[i, j])
        maxima = x.sum(1)[:, None] + y.sum(1) - minima
        ctx.save_for_backward(x, y, minima, maxima)
        return torch.where(maxima > 0, minima / maxima, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        x, y, minima, maxima = ctx.saved_tensors
        upstream = torch.where(maxima > 0, upstream / maxima, 0)
        ratio = torch.where(maxima > 0, minima / maxima, 1)
        # Of minima / maxima, where maxima = sum(x) + sum(y) - minima.
        of_minima, of_sums = upstream * (1 + ratio), -upstream * ratio
        # The minimum's share of x is 1 where x is smaller, 1/2 where both are equal, 0 elsewhere.
        of_x = (of_minima / 2 + of_sums).sum(1, keepdim=True).repeat(1, x.shape[1])
        of_y = (of_minima / 2 + of_sums).sum(0)[:, None].repeat(1, x.shape[1])
        for i, j in _blocks(x, y):
            larger = (x[i, None] - y[j]).sign_()
            half = of_minima[i, j] / 2
            of_x[i] -= torch.einsum("nm,nmd->nd", half, larger)
            of_y[j] += torch.einsum("nm,nmd->md", half, larger)
        return of_x, of_y


def _block(x: Tensor, y: Tensor) -> tuple[int, int]:
    """Rows of x and of y whose pairs are held together."""
    numbers = 1 << 20 if x.device.type == "cpu" else 1 << 26
    pairs = max(1, numbers // max(1, x.shape[1]))
    columns = max(1, min(len(y), max(_COLUMNS, pairs // max(1, len(x))), pairs))
    return max(1, min(len(x), pairs // columns)), columns


def _blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice]]:
    rows, columns = _block(x, y)
    for first in range(0, len(y), columns):
        for start in range(0, len(x), rows):
            yield slice(start, start + rows), slice(first, first + columns)
