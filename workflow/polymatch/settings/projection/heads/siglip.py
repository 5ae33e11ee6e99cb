"""Settings of the head `siglip`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import HeadSettings
from polymatch.settings.section import Number


class SiglipHead(HeadSettings):
    """A layer norm and one linear layer without bias."""

    type: Literal["siglip"] = Field(description="which head")
    dropout: Number = Field(0.0, ge=0, lt=1, description="dropout before the linear layer")
