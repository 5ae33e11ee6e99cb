"""Settings of the head `clip`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import HeadSettings
from polymatch.settings.section import Number


class ClipHead(HeadSettings):
    """Two layers with GELU between them and no norm."""

    type: Literal["clip"] = Field(description="which head")
    hidden_dim: int | None = Field(
        None, ge=1, description="hidden units; half the input's width, on each side, if not given"
    )
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout between the two layers")
