"""Settings of the loss `softmax`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings


class SoftmaxLoss(LossSettings):
    """Cross-entropy over the batch in both directions, as CLIP has it."""

    type: Literal["softmax"] = Field(description="which loss")
