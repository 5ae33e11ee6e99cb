"""Scores from attention between an item and a caption, for all pairs, by matrix products.

Of item i and caption j, with tokens p_i and q_j of width H, each side attends to the other. There
is one key, so attention is ``out(value(.))`` (:class:`.layers.SingleToken`), here called t:

    image_ij = norm2(linear(norm1(p_i + t(q_j))))
    text_ij = norm2'(linear'(norm1'(q_j + t'(p_i))))

and the score is the cosine of the two. Written so it takes N x M x (H + O) numbers and two linear
layers for each pair. But a sum of two vectors stays a sum through everything that is linear:

* The layer norm subtracts the mean, which is linear, and divides by the root of the variance, here
  multiplies by s. The centred x_i + y_j have |x_i|^2 + |y_j|^2 + 2 <x_i, y_j> = H (1 / s^2 - eps):
  one matrix product.
* The linear layer makes (a_i + c_j) s + k of them, where a_i, c_j and k (from the norm's bias and
  the layer's) are centred too, for the norm that follows.
* Its factor r, the squared length of what it gives and the inner product of image_ij and text_ij
  are sums of inner products of a_i, c_j, their counterparts and constants, times powers of s and r.

So the scores are eight matrix products [N, .] x [., M], two of width H and six of width O, and
arithmetic on [N, M]: the same numbers, up to rounding. What belongs to one item or one caption
alone is computed once for it. Scores come in blocks of rows, so that beside the result no more than
a bounded number of pairs is held.

In training attention weights are dropped for each token and head that is attended to: a caption's
dropped heads are dropped for all items alike, and an item's for all captions. (A draw for each
pair, as in the naive form, would make every pair's vector its own.)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymatch.models.projection.layers import SingleToken

# Pairs in a block: a matrix of them fits into a core's cache.
_PAIRS = 1 << 18
_TINY = 1e-12  # of a length, as in F.normalize


class Part(NamedTuple):
    """What N tokens add to one of the two vectors of their pairs.

    ``x`` [N, H] before the first norm, ``z`` [N, O] before the second, both centred; ``size`` [N]
    is |x|^2, ``squares`` [2, N] are <z, z> and <z, g^2 z> with the second norm's weight g,
    ``linear`` [5, N] the inner products of z with k, g^2 k, g b, g g' k' and g b', where b is that
    norm's bias, k as in :class:`Constants`, and primes are the other vector's.
    """

    x: Tensor
    z: Tensor
    size: Tensor
    squares: Tensor
    linear: Tensor


class Prepared(NamedTuple):
    """N items, or M captions: their parts of both vectors and those parts' inner product [N]."""

    image: Part
    text: Part
    meet: Tensor


class Constants(NamedTuple):
    """What of a vector is the same for all pairs, [O] each.

    ``k``, centred, is added between the two norms; ``weight`` and ``bias`` are the second norm's.
    """

    k: Tensor
    weight: Tensor
    bias: Tensor


class Attended(nn.Module):
    """One of the two vectors of a pair: from two tokens [H] to [O]."""

    def __init__(self, hidden: int, output: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SingleToken(hidden, num_heads, dropout)
        self.norm1 = nn.LayerNorm(hidden)
        self.linear = nn.Linear(hidden, output)
        self.norm2 = nn.LayerNorm(output)

    def constants(self) -> Constants:
        k = _centred(self.linear.weight @ self.norm1.bias + self.linear.bias)
        return Constants(k, self.norm2.weight, self.norm2.bias)

    def part(self, tokens: Tensor, own: Constants, other: Constants) -> Part:
        """The part of ``tokens`` [N, H], one of the two that are added before the first norm."""
        k, g, b = own
        x = _centred(tokens)
        z = _centred(F.linear(x * self.norm1.weight, self.linear.weight))
        squares = [(z * z).sum(1), (g * g * z * z).sum(1)]
        constants = (k, g * g * k, g * b, g * other.weight * other.k, g * other.bias)
        linear = [(z * constant).sum(1) for constant in constants]
        return Part(x, z, (x * x).sum(1), torch.stack(squares), torch.stack(linear))


class PairwiseScorer(nn.Module):
    """Tokens of N items and M captions [., H] -> cosines [N, M]."""

    def __init__(self, hidden: int, output: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.image = Attended(hidden, output, num_heads, dropout)
        self.text = Attended(hidden, output, num_heads, dropout)

    def prepare_items(self, tokens: Tensor) -> Prepared:
        """Everything about items [N, H] that needs no captions."""
        return self._prepared(tokens, self.text.attention(tokens))

    def prepare_captions(self, tokens: Tensor) -> Prepared:
        """Everything about captions [M, H] that needs no items."""
        return self._prepared(self.image.attention(tokens), tokens)

    def forward(self, items: Prepared, captions: Prepared) -> Tensor:
        """Return the scores [N, M]."""
        constants = self.image.constants(), self.text.constants()
        if torch.compiler.is_exporting():  # a graph has no blocks of rows
            return self._scores(items, captions, *constants)
        n, m = len(items.meet), len(captions.meet)
        if n * m <= _PAIRS:
            return self._scores(items, captions, *constants)
        scores = items.meet.new_empty(n, m)
        rows = max(1, _PAIRS // m)
        for start in range(0, n, rows):
            block = _rows(items, start, start + rows)
            scores[start : start + rows] = self._scores(block, captions, *constants)
        return scores

    def _prepared(self, of_image: Tensor, of_text: Tensor) -> Prepared:
        own, other = self.image.constants(), self.text.constants()
        image, text = self.image.part(of_image, own, other), self.text.part(of_text, other, own)
        return Prepared(image, text, (own.weight * other.weight * image.z * text.z).sum(1))

    def _scores(
        self, items: Prepared, captions: Prepared, own: Constants, other: Constants
    ) -> Tensor:
        image = _Vectors(items.image, captions.image, own, self.image)
        text = _Vectors(items.text, captions.text, other, self.text)
        g, b = own.weight, own.bias
        # <g z r + b, g' z' r' + b'> with z = (a + c) s + k, a of the item and c of the caption.
        both = g * other.weight
        meet = torch.addmm(captions.meet, items.image.z, (both * captions.text.z).T)
        meet = meet + torch.addmm(items.meet[:, None], items.text.z, (both * captions.image.z).T)
        inner = meet * image.s * text.s + image.linear(3) + text.linear(3)
        inner = (inner + (both * own.k * other.k).sum()) * image.r * text.r
        inner = inner + (image.linear(4) + (g * own.k * other.bias).sum()) * image.r
        inner = inner + (text.linear(4) + (other.weight * other.k * b).sum()) * text.r
        inner = inner + (b * other.bias).sum()
        return inner / (image.length() * text.length())


class _Vectors:
    """One vector of each of N x M pairs, by what inner products say of it.

    ``s`` and ``r`` [N, M] are the factors that the first and the second norm multiply by.
    """

    def __init__(self, items: Part, captions: Part, constants: Constants, of: Attended) -> None:
        self.items, self.captions, self.constants = items, captions, constants
        size = _square(items.size, captions.size, items.x, captions.x)
        self.s = (size / items.x.shape[1] + of.norm1.eps).rsqrt()
        size = self._square_of_z(0, captions.z, constants.k).clamp(min=0)
        self.r = (size / items.z.shape[1] + of.norm2.eps).rsqrt()

    def linear(self, which: int) -> Tensor:
        """Inner products of (a + c) s with one of the constant vectors, [N, M]."""
        return (self.items.linear[which][:, None] + self.captions.linear[which]) * self.s

    def length(self) -> Tensor:
        """Lengths of the vectors g z r + b, [N, M]."""
        k, g, b = self.constants
        square = self._square_of_z(1, g * g * self.captions.z, g * g * k) * self.r.square()
        square = square + 2 * (self.linear(2) + (g * b * k).sum()) * self.r + (b * b).sum()
        return square.clamp(min=_TINY**2).sqrt()

    def _square_of_z(self, which: int, weighted: Tensor, weighted_k: Tensor) -> Tensor:
        """<z, z> for 0 and <z, g^2 z> for 1, [N, M]."""
        own, other = self.items.squares[which], self.captions.squares[which]
        square = _square(own, other, self.items.z, weighted) * self.s.square()
        return square + 2 * self.linear(which) + (self.constants.k * weighted_k).sum()


def _square(own: Tensor, other: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """|a|^2 + |c|^2 + 2 <a, c>, [N, M]; never below zero by rounding."""
    return (torch.addmm(other, rows, columns.T, alpha=2) + own[:, None]).clamp(min=0)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def _rows(prepared: Prepared, start: int, stop: int) -> Prepared:
    def part(of: Part) -> Part:
        sums = (of.size[start:stop], of.squares[:, start:stop], of.linear[:, start:stop])
        return Part(of.x[start:stop], of.z[start:stop], *sums)

    return Prepared(part(prepared.image), part(prepared.text), prepared.meet[start:stop])
