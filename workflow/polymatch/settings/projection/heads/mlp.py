"""Settings of the head `mlp`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import HeadSettings
from polymatch.settings.section import Number


class MlpHead(HeadSettings):
    """Two layers with GELU between them and a layer norm at the end."""

    type: Literal["mlp"] = Field(description="which head")
    hidden_dim: int = Field(1024, ge=1, description="hidden units")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout between the two layers")
