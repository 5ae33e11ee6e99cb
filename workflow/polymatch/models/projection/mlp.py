"""The head `mlp`: two layers, GELU between them, a layer norm at the end."""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.models.projection.layers import two_layers
from polymatch.settings.projection.heads.blip import BlipHead
from polymatch.settings.projection.heads.mlp import MlpHead


class Head(nn.Module):
    """Features [N, width] -> [N, output_dim]."""

    def __init__(self, width: int, settings: MlpHead | BlipHead) -> None:
        super().__init__()
        output = settings.output_dim
        layers = two_layers(width, settings.hidden_dim, output, settings.dropout)
        self.layers = nn.Sequential(*layers, nn.LayerNorm(output))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
