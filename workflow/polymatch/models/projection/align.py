"""The head `align`: three layers with ReLU and batch norm (or layer norm) between them.

Batch norm takes a batch's own statistics in training only: encodings in evaluation mode do not
depend on what else is encoded.
"""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.settings.projection.heads.align import AlignHead


class Head(nn.Module):
    """Features [N, width] -> [N, output_dim]."""

    def __init__(self, width: int, settings: AlignHead) -> None:
        super().__init__()
        norm = nn.BatchNorm1d if settings.use_bn else nn.LayerNorm
        layers: list[nn.Module] = []
        for hidden in (settings.hidden_dim, settings.hidden_dim // 2):
            layers += [nn.Linear(width, hidden), norm(hidden)]
            layers += [nn.ReLU(), nn.Dropout(settings.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, settings.output_dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
