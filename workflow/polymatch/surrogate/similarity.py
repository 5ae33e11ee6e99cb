"""Scores of all items against all captions with a surrogate: matrix products and a polynomial.

Each tile of the similarity matrix is two products (see :mod:`polymatch.surrogate.moments`), then,
in float64 and slice by slice in the cache, the moments and Horner's rule. Centre and scale of the
surrogate go into constants and coefficients, so that a pair costs nine passes and one for each
term. The products are float32; where a surrogate is so steep at these very embeddings that this
could move a logit by 1e-6, they are made in float64 instead.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from numpy.polynomial.polynomial import polyder, polyval2d
from torch import Tensor

from polymatch.errors import NumericsError
from polymatch.surrogate.moments import (
    MomentFactors,
    as_tensors,
    caption_factors,
    distance_moments,
    elementwise_block,
    item_factors,
    large_empty,
    rest_product,
    wants_gradient,
)
from polymatch.surrogate.polynomial import PolynomialSurrogate, horner_into

_LOGIT_ERROR = 5e-7
# Largest error seen of a float32 product of width 256 to 4096, relative to the rows' norms.
_MEAN_PRODUCT_ERROR = 1.5e-6
_SPREAD_PRODUCT_ERROR = 3e-7
_PROBES = 8


@overload
def poly_similarity(
    mu_items: np.ndarray,
    logvar_items: np.ndarray,
    mu_captions: np.ndarray,
    logvar_captions: np.ndarray,
    surrogate: PolynomialSurrogate,
    block: int = 1024,
) -> np.ndarray: ...
@overload
def poly_similarity(
    mu_items: Tensor,
    logvar_items: Tensor,
    mu_captions: Tensor,
    logvar_captions: Tensor,
    surrogate: PolynomialSurrogate,
    block: int = 1024,
) -> Tensor: ...
def poly_similarity(
    mu_items: np.ndarray | Tensor,
    logvar_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    logvar_captions: np.ndarray | Tensor,
    surrogate: PolynomialSurrogate,
    block: int = 1024,
) -> np.ndarray | Tensor:
    """Return the surrogate's logit of every item and caption, [N, M] in float64.

    Items are [N, D], captions [M, D]; tiles of ``block`` x ``block`` pairs are made at a time. To
    score against the same gallery again, prepare it once (:func:`item_factors`,
    :func:`caption_factors`) and call :func:`similarity_of_factors`. Tensors that need a gradient
    get one.

    Raises:
        NumericsError: the shapes do not fit together, ``block`` is below 1, or the surrogate was
            fitted for another width (ed and vd are divided by it).
    """
    a, la, b, lb = as_tensors(mu_items, logvar_items, mu_captions, logvar_captions)
    surrogate.check_width(a.shape[1])
    if wants_gradient(a, la, b, lb):
        return surrogate.logits(*distance_moments(a, la, b, lb))
    similarity = similarity_of_factors(
        item_factors(a, la), caption_factors(b, lb), surrogate, block
    )
    return similarity if isinstance(mu_items, Tensor) else similarity.numpy()


def similarity_of_factors(
    items: MomentFactors,
    captions: MomentFactors,
    surrogate: PolynomialSurrogate,
    block: int = 1024,
) -> Tensor:
    """Return [N, M] as :func:`poly_similarity` does, from both sides as prepared."""
    if (items.side, captions.side) != ("items", "captions"):
        raise NumericsError(
            f"similarity: given factors of {items.side} and {captions.side}; "
            "rows must be prepared by item_factors and columns by caption_factors"
        )
    if items.width != captions.width:
        raise NumericsError(
            f"similarity: items have width {items.width} and captions {captions.width}"
        )
    surrogate.check_width(items.width)
    if block < 1:
        raise NumericsError(f"similarity: block is {block}; it must be 1 or more")
    wide = items.variance.dtype
    shape = (len(items), len(captions))
    out = large_empty(shape, wide, items.spread.device)
    if not out.numel():
        return out
    with torch.no_grad(), torch.autocast(out.device.type, enabled=False):
        tile = _Tile(surrogate, items.width)
        means_dtype, spread_dtype = tile.product_dtypes(items, captions)
        # One piece for both products: from 4 MB on it comes in huge pages.
        most = min(block, shape[0]) * min(block, shape[1])
        size = most * means_dtype.itemsize
        memory = large_empty((2 * most,), wide, out.device).view(torch.uint8)
        buffers = (
            memory[:size].view(means_dtype),
            memory[size : size + most * spread_dtype.itemsize].view(spread_dtype),
        )
        for row in range(0, len(items), block):
            part = items[row : row + block].to(means_dtype, spread_dtype)
            for column in range(0, len(captions), block):
                other = captions[column : column + block].to(means_dtype, spread_dtype)
                target = out[row : row + block, column : column + block]
                product, rest = (buffer[: target.numel()].view(target.shape) for buffer in buffers)
                torch.mm(part.means, other.means.T, out=product)
                rest_product(part, other, out=rest)
                tile.write_logits(target, part, other, product, rest)
    return out


class _Tile:
    """A surrogate with its standardisation folded in, for one embedding width.

    With x = D (ed - centre) and y = D^2 (vd - centre) / 4, both are the products plus row and
    column constants, and S the sum of both sides' mean variance:
    x = row + column - 2 mu_a mu_b and y = S (x - D S / 2) + R + row + column.
    """

    def __init__(self, surrogate: PolynomialSurrogate, width: int) -> None:
        self.width = width
        self.shift_x = width * surrogate.centre[0]
        self.shift_y = width**2 / 4 * surrogate.centre[1]
        powers = np.arange(surrogate.degree + 1)
        unit_x, unit_y = width * surrogate.scale[0], width**2 / 4 * surrogate.scale[1]
        self.table = surrogate.table() / np.outer(unit_x**powers, unit_y**powers)
        self.surrogate = surrogate

    def write_logits(
        self,
        out: Tensor,
        items: MomentFactors,
        captions: MomentFactors,
        product: Tensor,
        rest: Tensor,
    ) -> None:
        half = 0.5 * self.width
        row_x = (items.square_norm + self.width * items.variance - self.shift_x)[:, None]
        row_y = (items.constant + self.shift_x * items.variance - self.shift_y)[:, None]
        row_s = items.variance[:, None]
        column_x = captions.square_norm + self.width * captions.variance
        column_y = captions.constant + self.shift_x * captions.variance
        step = max(1, elementwise_block(out.device) // out.shape[1])
        scratch = [
            torch.empty((step, out.shape[1]), dtype=out.dtype, device=out.device) for _ in range(4)
        ]
        for start in range(0, len(out), step):
            rows = slice(start, start + step)
            x, y, s, t = (buffer[: len(out[rows])] for buffer in scratch)
            # Widened by copies: arithmetic of mixed precision is several times slower.
            torch.add(row_x[rows], x.copy_(product[rows]), alpha=-2, out=x).add_(column_x)
            torch.add(row_s[rows], captions.variance, out=s)
            torch.add(x, s, alpha=-half, out=t)
            y.copy_(rest[rows]).add_(row_y[rows]).add_(column_y)
            torch.addcmul(y, s, t, out=y)
            horner_into(out[rows], self.table, x, y, t)

    def product_dtypes(
        self, items: MomentFactors, captions: MomentFactors
    ) -> tuple[torch.dtype, torch.dtype]:
        """Return the precision that each product needs, judged by slopes at some of the pairs."""
        wide = items.variance.dtype
        own = items.spread.dtype
        if own == wide:
            return wide, wide
        few = [side[:: max(1, len(side) // _PROBES)].to(wide, wide) for side in (items, captions)]
        distance = (
            few[0].square_norm[:, None] + few[1].square_norm - 2 * few[0].means @ few[1].means.T
        )
        s = few[0].variance[:, None] + few[1].variance
        rest = rest_product(few[0], few[1]) + few[0].constant[:, None] + few[1].constant
        x = (distance + self.width * s - self.shift_x).cpu().numpy()
        y = (s * (distance + 0.5 * self.width * s) + rest - self.shift_y).cpu().numpy()
        slope_x = torch.from_numpy(polyval2d(x, y, polyder(self.table))).to(s)
        slope_y = torch.from_numpy(polyval2d(x, y, polyder(self.table, axis=1))).to(s)
        norms = [side.square_norm.max().sqrt() for side in few]
        spreads = [side.spread.norm(dim=1).max() for side in few]
        mean_error = (slope_x + s * slope_y).abs().max() * norms[0] * norms[1]
        rest_error = slope_y.abs().max() * spreads[0] * spreads[1]
        return (
            own if float(mean_error) * _MEAN_PRODUCT_ERROR < _LOGIT_ERROR else wide,
            own if float(rest_error) * _SPREAD_PRODUCT_ERROR < _LOGIT_ERROR else wide,
        )
