"""Scores of one caption with a few items: the candidates of a search, scored as they are found.

For a thousand pairs the products of :mod:`.similarity` cost more to prepare than to make: here the
moments come from the differences themselves, [C, D], in the precision of the inputs and summed up
in float64. Errors of single terms are rounding of float32 and fall with the width, so that logits
are those of the products to 1e-6.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polymatch.surrogate.moments import wide_dtype
from polymatch.surrogate.polynomial import PolynomialSurrogate

MOST = 1 << 19
"""Numbers of the items' means up to which this is the shorter way."""


def candidate_similarity(
    mu_items: Tensor,
    logvar_items: Tensor,
    mu_caption: Tensor,
    logvar_caption: Tensor,
    surrogate: PolynomialSurrogate,
) -> Tensor:
    """The surrogate's logit of items [C, D] with one caption [1, D]: [C, 1], in float64."""
    surrogate.check_width(mu_items.shape[1])
    wide, width = wide_dtype(mu_items.device), mu_items.shape[1]
    with torch.no_grad():
        square = (mu_items - mu_caption).square_()
        variance = logvar_items.exp().add_(logvar_caption.exp())
        ed = torch.add(square, variance).sum(1, dtype=wide) / width
        # 2 s^2 + 4 d^2 s = 2 s (s + 2 d^2)
        vd = square.mul_(2).add_(variance).mul_(variance).sum(1, dtype=wide) * (2 / width**2)
        return surrogate.logits(ed, vd)[:, None]
