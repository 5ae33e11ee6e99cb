"""Layers that several heads are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def two_layers(width: int, hidden: int, output: int, dropout: float) -> list[nn.Module]:
    """Linear, GELU, dropout, linear: from [N, width] to [N, output]."""
    return [
        nn.Linear(width, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, output),
    ]


class SingleToken(nn.Module):
    """Multi-head attention to one token: [N, width], each row by its own token.

    Softmax over a single key is 1 whatever query and key are, so attention is ``out(value(x))``:
    exactly what ``nn.MultiheadAttention`` gives, whose query and key layers have no influence and
    no gradient here, and are left out. What is left of the heads is dropout of attention weights:
    in training each head of each row is dropped with probability ``dropout``, and the others are
    scaled up. Parameters start as those of ``nn.MultiheadAttention`` do.
    """

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        # A third of one matrix [3 width, width] there: hence the smaller bound.
        nn.init.xavier_uniform_(self.value.weight, gain=0.5**0.5)
        nn.init.zeros_(self.value.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        value = self.value(x)
        if self.training and self.dropout:
            weights = F.dropout(value.new_ones(len(value), self.num_heads, 1), self.dropout)
            value = (value.unflatten(1, (self.num_heads, -1)) * weights).flatten(1)
        return self.out(value)
