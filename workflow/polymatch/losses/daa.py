"""DAA: a differentiable form of average semantic precision (ASP), as a loss.

Li et al., "A Differentiable Semantic Metric Approximation in Probabilistic Embedding for
Cross-Modal Retrieval", NeurIPS 2022, section 3.3: weight * (1 - mean of min(R_s, R_q) / max(R_s,
R_q)), where R_s is a candidate's rank by similarity among the candidates of its query, R_q its rank
by semantic similarity, and R = 1 + sum over the other candidates of sigmoid((theirs - own) / tau).

Deviation from the published code: there the rank of candidate c of query b is taken from
s[a, b] - s[b, c] over a, so that an item's score of a caption is compared with what *other* items
score for *another* caption, unless the matrix is symmetric; queries that all rank their candidates
as they should then have a loss. ``published=True`` is that form. (Its exponents are clamped to
+-50, which changes a rank by less than 1e-19.)

The B^3 differences exist only a chunk at a time. A rank's derivative needs what its sigmoids were,
so the gradient is made in the forward pass, while they are at hand.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from polymatch.errors import NumericsError


def daa_loss(
    similarity: Tensor,
    semantic: Tensor,
    weight: float = 25.0,
    temperature: float = 1e-3,
    published: bool = False,
) -> Tensor:
    """DAA loss of both directions: a scalar from 0 (both rank alike) to twice ``weight``.

    Args:
        similarity: [N, M], items × captions.
        semantic: [N, M], their semantic similarity; it gets no gradient.
        weight: factor of each direction.
        temperature: tau; differences well above it count as a whole rank.
        published: compare as the published code does; N must be M.

    Raises:
        NumericsError: the shapes do not fit.

    >>> similarity = torch.tensor([[0.9, 0.5], [0.1, 0.7]])
    >>> round(float(daa_loss(similarity, similarity / 2, weight=1.0)), 6)
    0.0
    >>> round(float(daa_loss(similarity, -similarity, weight=1.0)), 6)
    1.0
    """
    v2t, t2v = daa_of_directions(similarity, semantic, weight, temperature, published)
    return v2t + t2v


def daa_of_directions(
    similarity: Tensor,
    semantic: Tensor,
    weight: float = 25.0,
    temperature: float = 1e-3,
    published: bool = False,
) -> tuple[Tensor, Tensor]:
    """The two parts of :func:`daa_loss`: queries are the items (v2t), or the captions (t2v)."""
    if similarity.ndim != 2 or similarity.shape != semantic.shape:
        raise NumericsError(
            f"DAA compares two matrices of one shape, items × captions, but similarity is "
            f"{list(similarity.shape)} and semantic {list(semantic.shape)}"
        )
    if published and len(similarity) != similarity.shape[1]:
        raise NumericsError(
            f"the published DAA needs as many items as captions, not {list(similarity.shape)}; "
            "use `published: false`"
        )
    similarity = similarity if similarity.dtype == torch.float64 else similarity.float()
    semantic = semantic.detach().to(similarity)
    v2t = _Daa.apply(similarity, semantic, temperature, published)
    t2v = _Daa.apply(similarity.T, semantic.T, temperature, published)
    return weight * v2t, weight * t2v


class _Daa(torch.autograd.Function):
    """1 - mean(min / max) of the ranks in every row."""

    @staticmethod
    def forward(
        ctx: Any, similarity: Tensor, semantic: Tensor, temperature: float, published: bool
    ) -> Tensor:
        scores = (similarity / temperature).contiguous()
        meanings = (semantic / temperature).contiguous()
        # What a query's candidates are compared with: its own row, or the column of its number.
        rivals = scores.T.contiguous() if published else scores
        rival_meanings = meanings.T.contiguous() if published else meanings
        wanted = ctx.needs_input_grad[0]
        ratios = torch.empty_like(scores)
        of_own, of_rivals = torch.zeros_like(scores), torch.zeros_like(scores)
        # Memory of a chunk's differences is taken once: fresh pages cost as much as sigmoids.
        step = _queries_at_once(scores)
        held = scores.new_empty(2, step, scores.shape[1], scores.shape[1])
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            sigmoids, steep = held[:, : len(scores[rows])]
            wished = _rank(meanings[rows], rival_meanings[rows], sigmoids)
            rank = _rank(scores[rows], rivals[rows], sigmoids)
            ratios[rows] = torch.minimum(rank, wished) / torch.maximum(rank, wished)
            if wanted:
                # Of min / max: 1 / wished below it, -wished / rank^2 above, and 0 where they meet.
                slope = torch.where(rank < wished, 1 / wished, -wished / rank.square())
                slope = slope.masked_fill(rank == wished, 0)
                torch.addcmul(sigmoids, sigmoids, sigmoids, value=-1, out=steep)
                of_rivals[rows] = torch.bmm(slope[:, None], steep)[:, 0]
                of_own[rows] = slope * steep.sum(2)
        if wanted:
            gradient = (of_rivals.T if published else of_rivals) - of_own
            ctx.save_for_backward(gradient / (-temperature * ratios.numel()))
        return 1 - ratios.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None


def _rank(own: Tensor, rivals: Tensor, sigmoids: Tensor) -> Tensor:
    """Ranks [b, M] of candidates; ``sigmoids`` [b, M, M] (candidate, rival) takes their parts."""
    torch.sub(rivals[:, None], own[:, :, None], out=sigmoids).sigmoid_()
    # No candidate is its own rival.
    sigmoids.diagonal(dim1=1, dim2=2).zero_()
    return 1 + sigmoids.sum(2)


def _queries_at_once(scores: Tensor) -> int:
    """Queries whose differences are held together: what fits a CPU's cache, or 64 MB elsewhere."""
    elements = 1 << 20 if scores.device.type == "cpu" else 1 << 24
    return max(1, min(len(scores), elements // max(1, scores.shape[1] ** 2)))
