"""Settings of the head `blip`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import HeadSettings
from polymatch.settings.section import Number


class BlipHead(HeadSettings):
    """The head `mlp` under BLIP's name; its momentum copy is a matter of the loss `blip`."""

    type: Literal["blip"] = Field(description="which head")
    hidden_dim: int = Field(1024, ge=1, description="hidden units")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout between the two layers")
