"""The head `cross_modal`: what an item and a caption make of each other, for every pair.

Each side is projected to one token of a common width. Of a pair, the item attends to the caption
and the caption to the item; a residual, a layer norm, a linear layer and another layer norm give
two vectors, whose cosine is the score: similarity `pairwise` (see :mod:`.pairwise`).

Deviation from the published code: there a batch is N matched pairs, each item attends to its own
matched caption and the caption to the item, and the results are compared across pairs. Whoever
scores that way gives away which pairs match: a head learns to say so, and finds even pairs that
were put together at random. Here the score of item i and caption j comes from these two alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.models.projection.pairwise import PairwiseScorer
from polymatch.settings.projection.heads.cross_modal import CrossModalHead


class Head(nn.Module):
    """Features [N, width] -> tokens [N, hidden_dim]."""

    def __init__(self, width: int, settings: CrossModalHead) -> None:
        super().__init__()
        self.linear = nn.Linear(width, settings.hidden_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Scorer(PairwiseScorer):
    """Tokens of N items and M captions -> scores [N, M]."""

    def __init__(self, settings: CrossModalHead) -> None:
        super().__init__(
            settings.hidden_dim, settings.output_dim, settings.num_heads, settings.dropout
        )
