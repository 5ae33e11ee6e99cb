"""Similarities of the two spaces and their sum: cosine, Jaccard, both scaled to 0 to 1.

Dong et al., TPAMI 2021, equation 10: of two rows of probabilities, the sum of their minima divided
by the sum of their maxima. The maxima need not be looked at: min + max = x + y.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from polymatch.errors import NumericsError
from polymatch.surrogate.threads import one_thread

# Numbers in a block: a few MB, or on an accelerator what keeps it busy.
_CPU, _ACCELERATOR = 1 << 20, 1 << 26
_COLUMNS = 256  # rows of y whose numbers stay in the inner cache
_SHARE = 1 << 24  # numbers that are worth a thread


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
        minima = _minima(x, y)
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
        half, of_sums = upstream * (1 + ratio) / 2, -upstream * ratio
        # The minimum's share of x is 1 where x is smaller, 1/2 where both are equal, 0 elsewhere.
        of_x = (half + of_sums).sum(1, keepdim=True).repeat(1, x.shape[1])
        of_y = (half + of_sums).sum(0)[:, None].repeat(1, x.shape[1])
        larger = x.new_empty(0)
        with one_thread():
            for i, j in _blocks(x, y):
                # Memory of a block is taken once: fresh pages cost more than the differences.
                torch.sub(x[i, None], y[j], out=larger.resize_(0)).sign_()
                of_x[i] -= torch.bmm(half[i, None, j], larger)[:, 0]
                of_y[j] += larger.mul_(half[i, j, None]).sum(0)
        return of_x, of_y


def _minima(x: Tensor, y: Tensor) -> Tensor:
    """Sum of the minima of every pair of rows, [N, M]; blocks are shared out to threads."""
    minima = x.new_empty(len(x), len(y))
    blocks = list(_blocks(x, y))
    shares = 1
    if x.device.type == "cpu":
        work = x.numel() * len(y)
        shares = max(1, min(torch.get_num_threads(), len(blocks), work // _SHARE))
    inference = torch.is_inference_mode_enabled()

    def fill(own: list[tuple[slice, slice]]) -> None:
        # What a thread may write to is told to each of them.
        with torch.inference_mode(inference), torch.no_grad():
            held = x.new_empty(0)
            for i, j in own:
                torch.minimum(x[i, None], y[j], out=held.resize_(0))
                torch.sum(held, 2, out=minima[i, j])

    # A thread that does its blocks alone waits for nobody; torch's own meet after every step.
    with one_thread():
        if shares == 1:
            fill(blocks)
        else:
            with ThreadPoolExecutor(shares) as pool:
                list(pool.map(fill, [blocks[first::shares] for first in range(shares)]))
    return minima


def _blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice]]:
    """Rows of x and of y whose pairs are held together."""
    numbers = _CPU if x.device.type == "cpu" else _ACCELERATOR
    pairs = max(1, numbers // max(1, x.shape[1]))
    columns = min(len(y), pairs, max(_COLUMNS, pairs // len(x)))
    rows = min(len(x), pairs // columns)
    for first in range(0, len(y), columns):
        for start in range(0, len(x), rows):
            yield slice(start, start + rows), slice(first, first + columns)
