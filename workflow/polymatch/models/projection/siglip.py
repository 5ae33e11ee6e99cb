"""The head `siglip`: a layer norm, and one linear layer without bias.

The layer starts from a normal distribution of standard deviation width ** -0.5, as published.
"""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.settings.projection.heads.siglip import SiglipHead


class Head(nn.Module):
    """Features [N, width] -> [N, output_dim]."""

    def __init__(self, width: int, settings: SiglipHead) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(width, settings.output_dim, bias=False)
        nn.init.normal_(self.linear.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(self.norm(x)))
