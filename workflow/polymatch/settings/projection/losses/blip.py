"""Settings of the loss `blip`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings
from polymatch.settings.section import Number


class BlipLoss(LossSettings):
    """Cross-entropy mixed with that against a slowly following copy of the heads."""

    paper: ClassVar[str] = "Li et al., BLIP: Bootstrapping Language-Image Pre-training, ICML 2022"
    type: Literal["blip"] = Field(description="which loss")
    tau: Number = Field(
        0.05, gt=0, description="temperature: similarities are divided by it (its first value)"
    )
    alpha: Number = Field(0.4, ge=0, le=1, description="weight of the copy's part in the loss")
    momentum: Number = Field(
        0.999, ge=0, lt=1, description="share of itself that the copy keeps at every step"
    )
