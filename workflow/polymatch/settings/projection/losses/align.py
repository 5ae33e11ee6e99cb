"""Settings of the loss `align`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings
from polymatch.settings.section import Number


class AlignLoss(LossSettings):
    """Cross-entropy in both directions with smoothed labels and a learnt temperature."""

    paper: ClassVar[str] = (
        "Jia et al., Scaling Up Visual and Vision-Language Representation "
        "Learning With Noisy Text Supervision (ALIGN), ICML 2021"
    )
    type: Literal["align"] = Field(description="which loss")
    tau: Number = Field(
        0.05, gt=0, description="temperature: similarities are divided by it (its first value)"
    )
    learnable: bool = Field(
        True, description="train the temperature with the head, down to 0.01 as CLIP does"
    )
    smoothing: Number = Field(
        0.1, ge=0, lt=1, description="share of a label that is spread over the whole batch"
    )
