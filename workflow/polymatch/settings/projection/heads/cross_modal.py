"""Settings of the head `cross_modal`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.projection.sections import HeadSettings, check_heads
from polymatch.settings.section import Number


class CrossModalHead(HeadSettings):
    """Attention between an item and a caption, for every pair of them; similarity `pairwise`."""

    type: Literal["cross_modal"] = Field(description="which head")
    hidden_dim: int = Field(1024, ge=1, description="width of attention")
    num_heads: int = Field(8, ge=1, description="parts that attention shares its width among")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout of attention weights")

    @property
    def similarity(self) -> str:
        return "pairwise"

    @property
    def pair_seconds(self) -> float:
        return 1e-6

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        check_heads(self.hidden_dim, self.num_heads)
        return self
