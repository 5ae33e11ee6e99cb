"""Settings of the loss `queue`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings


class QueueLoss(LossSettings):
    """Cross-entropy over the batch and a queue of earlier items and captions."""

    paper: ClassVar[str] = (
        "He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020"
    )
    type: Literal["queue"] = Field(description="which loss")
    queue_size: int = Field(
        4096,
        ge=1,
        description="earlier pairs that are kept: captions are negatives of items, and items of "
        "captions",
    )
