"""Settings of the loss `sigmoid`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings
from polymatch.settings.section import Number


class SigmoidLoss(LossSettings):
    """Every pair judged alone: match or no match. SigLIP learns from tau 0.1 and bias -10."""

    paper: ClassVar[str] = (
        "Zhai et al., Sigmoid Loss for Language Image Pre-Training (SigLIP), ICCV 2023"
    )
    type: Literal["sigmoid"] = Field(description="which loss")
    bias: Number = Field(
        0.0, description="added to every logit (its first value, where `learnable`)"
    )

    @property
    def first_bias(self) -> float:
        return self.bias

    @property
    def learns_bias(self) -> bool:
        return self.learnable
