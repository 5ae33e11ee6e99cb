"""Settings of the head `align`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import HeadSettings
from polymatch.settings.section import Number


class AlignHead(HeadSettings):
    """Three layers with ReLU and batch norm between them."""

    type: Literal["align"] = Field(description="which head")
    hidden_dim: int = Field(
        2048, ge=2, description="hidden units of the first layer; the second has half as many"
    )
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout after either")
    use_bn: bool = Field(True, description="batch norm; layer norm if false")
