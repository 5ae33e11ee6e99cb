"""Settings of the loss `queue`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.projection.sections import LossSettings


class QueueLoss(LossSettings):
    """Cross-entropy over the batch and a queue of earlier items and captions."""

    type: Literal["queue"] = Field(description="which loss")
    queue_size: int = Field(
        4096,
        ge=1,
        description="earlier pairs that are kept: captions are negatives of items, and items of "
        "captions",
    )
