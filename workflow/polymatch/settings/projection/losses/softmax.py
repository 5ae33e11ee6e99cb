"""Settings of the loss `softmax`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings


class SoftmaxLoss(LossSettings):
    """Cross-entropy over the batch in both directions, as CLIP has it."""

    paper: ClassVar[str] = (
        "Radford et al., Learning Transferable Visual Models From "
        "Natural Language Supervision (CLIP), ICML 2021"
    )
    type: Literal["softmax"] = Field(description="which loss")
