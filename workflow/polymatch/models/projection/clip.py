"""The head `clip`: two layers with GELU between them, no norm.

Deviation from the published code of August 2025: a learnt temperature is the model's and not each
head's, where that of the captions got no gradient.
"""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.models.projection.layers import two_layers
from polymatch.settings.projection.heads.clip import ClipHead


class Head(nn.Module):
    """Features [N, width] -> [N, output_dim]; hidden is half of ``width`` if nothing is said."""

    def __init__(self, width: int, settings: ClipHead) -> None:
        super().__init__()
        hidden = settings.hidden_dim or max(1, width // 2)
        self.layers = nn.Sequential(
            *two_layers(width, hidden, settings.output_dim, settings.dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
