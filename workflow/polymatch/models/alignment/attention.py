"""What each word finds in an item: attention from words to regions, and how far off it is.

Word j attends to region r with the softmax over r of ``smoothing * a_rj``, where ``a_rj`` is the
leaky ReLU (slope 0.1) of their inner product, divided by the length of ``a_r`` over the caption's
words (Lee et al., Stacked Cross Attention, ECCV 2018; Diao et al., AAAI 2021, equation 3). The
similarity vector starts from ``(x - y)^2``, with the word y and x of what it found, of unit length.

All captions of a block have one number of words, so that there is no padding: the sum over words
above would see it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from polymatch.models.alignment.layers import into_unit

_SLOPE = 0.1


def squared_differences(regions: Tensor, words: Tensor, smoothing: float) -> Tensor:
    """``(x - y)^2`` for each of n items, m captions and L words: [n, m, L, D].

    Args:
        regions: [n, R, D]. words: [m, L, D]. smoothing: scale before the softmax.
    """
    n, m, length = len(regions), len(words), words.shape[1]
    weights = attention(regions, words, smoothing)
    found = into_unit(torch.bmm(weights.flatten(2).transpose(1, 2), regions))
    flat = words.flatten(0, 1)
    learnt = torch.is_grad_enabled()
    squares = (found - flat).square() if learnt else found.sub_(flat).square_()
    return squares.view(n, m, length, -1)


def attention(regions: Tensor, words: Tensor, smoothing: float) -> Tensor:
    """Weights [n, R, m, L] of regions [n, R, D] for words [m, L, D]; over R they sum to one."""
    n, m = len(regions), len(words)
    products = regions.flatten(0, 1) @ words.flatten(0, 1).T
    products = F.leaky_relu(products, _SLOPE, inplace=not torch.is_grad_enabled())
    scaled = into_unit(products.view(n, -1, m, words.shape[1]))
    return torch.softmax(smoothing * scaled, 1)
