"""The head `attention`: layers of self-attention with a residual and a layer norm, then linear.

A feature vector is one token, so each layer is :class:`.layers.SingleToken`.

Deviations from the published code: query and key layers, which have no influence there, do not
exist; `hidden_dim` is read there and not used. Here it is, where it is given: a linear layer to
that width comes before the first layer of attention, so that features of any width split among any
number of heads. Without it attention has the input's own width, as published.
"""

from __future__ import annotations

from torch import Tensor, nn

from polymatch.errors import ConfigError
from polymatch.models.projection.layers import SingleToken
from polymatch.settings.projection.heads.attention import AttentionHead


class Head(nn.Module):
    """Features [N, width] -> [N, output_dim].

    Raises:
        ConfigError: ``width`` is attention's own and does not split among its heads.
    """

    def __init__(self, width: int, settings: AttentionHead) -> None:
        super().__init__()
        hidden, num_heads = settings.hidden_dim or width, settings.num_heads
        if hidden % num_heads:
            raise ConfigError(
                f"head attention: features of width {width} are not divisible by num_heads "
                f"{num_heads}; set `head.hidden_dim` to a width that is, or other `num_heads`"
            )
        self.first = nn.Identity() if settings.hidden_dim is None else nn.Linear(width, hidden)
        layers = range(settings.num_layers)
        self.attention = nn.ModuleList(
            SingleToken(hidden, num_heads, settings.dropout) for _ in layers
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in layers)
        output = settings.output_dim
        self.final = nn.Sequential(nn.Linear(hidden, output), nn.LayerNorm(output))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for attention, norm in zip(self.attention, self.norms, strict=True):
            x = norm(x + attention(x))
        return self.final(x)
