"""The baseline's entry: the encoders' own aligned space, nothing trained."""

from __future__ import annotations

from typing import Literal

from polymatch.settings.model import ModelSettings


class AlignedSettings(ModelSettings):
    """Cosine in the aligned space that every head starts from."""

    family: Literal["aligned"]
