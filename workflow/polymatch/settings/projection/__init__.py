"""Entries of the projection family: a head, a loss, and how they are trained.

Heads and losses are found by looking into the packages beside this file.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from polymatch.settings.model import TrainedSettings
from polymatch.settings.projection import heads as head_package
from polymatch.settings.projection import losses as loss_package
from polymatch.settings.projection.sections import HeadSettings, LossSettings
from polymatch.settings.variants import variants

HEADS = variants(head_package, HeadSettings)
LOSSES = variants(loss_package, LossSettings)

if TYPE_CHECKING:
    Head = HeadSettings
    Loss = LossSettings
else:
    Head = Annotated[reduce(or_, HEADS.values()), Field(discriminator="type")]
    Loss = Annotated[reduce(or_, LOSSES.values()), Field(discriminator="type")]


class ProjectionSettings(TrainedSettings):
    """Deterministic heads from the encoders' features into one space, one for each side."""

    family: Literal["projection"]
    head: Head = Field(description="what maps features into the shared space; `type` says which")
    loss: Loss = Field(description="what it is trained by; `type` says which")
    published_checkpoint: str | None = Field(
        None,
        description="checkpoint (best_model.pt) of the published code: the model is read from it "
        "and not trained; `head` must be the checkpoint's",
    )

    @property
    def citations(self) -> list[str]:
        return [self.loss.paper] if self.loss.paper else []

    @property
    def scored_by(self) -> list[str]:
        return [self.head.similarity]

    @property
    def pair_seconds(self) -> float:
        return self.head.pair_seconds

    @property
    def starts_from(self) -> Literal["embeddings", "features"]:
        return "features"

    @property
    def trained(self) -> bool:
        return self.published_checkpoint is None

    @property
    def learns_temperature(self) -> bool:
        """Whether the temperature is a parameter of the model; of a read one, nothing is."""
        return self.trained and self.loss.learnable

    @property
    def published_files(self) -> list[str]:
        return [] if self.published_checkpoint is None else [self.published_checkpoint]

    @property
    def loss_module(self) -> str:
        return f"polymatch.losses.{self.family}.{self.loss.type}"

    @property
    def modules(self) -> list[str]:
        return [*super().modules, f"polymatch.models.{self.family}.{self.head.type}"]
