"""Hinge ranking loss on a similarity matrix: a positive beats each negative by a margin.

Faghri et al., "VSE++: Improving Visual-Semantic Embeddings with Hard Negatives", BMVC 2018,
equations 4 and 5. The pairs of the diagonal are the ones that must win; what else matches (another
caption of the item, the same text of another one) is no negative. (The published codes take all
that is off the diagonal for negatives.)
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from polymatch.errors import NumericsError


def triplet_loss(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.2,
    hardest: bool = True,
    reduction: Literal["sum", "mean"] = "sum",
) -> Tensor:
    """Hinge loss of both directions, a scalar.

    Args:
        similarity: [B, B], items × captions; row i and column i are a pair.
        positives: [B, B], true where they match; pairs do.
        margin: by how much a pair's similarity should be above its negatives'.
        hardest: count the hardest negative of each query, or the sum of all (VSE++, equation 5).
        reduction: of the queries in each direction: their ``sum``, as the published codes have it,
            or ``mean``.

    Raises:
        NumericsError: the matrix is not square or the mask has another shape.

    >>> import torch
    >>> similarity = torch.tensor([[0.9, 0.8], [0.1, 0.7]])
    >>> round(float(triplet_loss(similarity, torch.eye(2) > 0, margin=0.2)), 4)  # 0.1 + 0.3
    0.4
    """
    if similarity.shape != positives.shape or len(similarity) != similarity.shape[-1]:
        raise NumericsError(
            f"the hinge loss needs as many items as captions, a pair a row, but similarity is "
            f"{list(similarity.shape)} and positives {list(positives.shape)}"
        )
    pairs = similarity.diagonal()
    total = similarity.new_zeros(())
    for own, axis in ((pairs[:, None], 1), (pairs[None], 0)):
        cost = (margin + similarity - own).clamp(min=0).masked_fill(positives, 0)
        of_queries = cost.amax(axis) if hardest else cost.sum(axis)
        total = total + (of_queries.sum() if reduction == "sum" else of_queries.mean())
    return total
