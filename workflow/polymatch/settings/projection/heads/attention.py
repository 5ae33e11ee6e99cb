"""Settings of the head `attention`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.projection.sections import HeadSettings, check_heads
from polymatch.settings.section import Number


class AttentionHead(HeadSettings):
    """Layers of self-attention, each with a residual and a layer norm, then a linear layer."""

    type: Literal["attention"] = Field(description="which head")
    hidden_dim: int | None = Field(
        None,
        ge=1,
        description="width of attention, after a linear layer to it; the input's own, without that "
        "layer, if not given (the published code reads `hidden_dim` and makes no use of it)",
    )
    num_heads: int = Field(8, ge=1, description="parts that attention shares its width among")
    num_layers: int = Field(2, ge=1, description="layers of attention")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout of attention weights")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        check_heads(self.hidden_dim, self.num_heads)
        return self
