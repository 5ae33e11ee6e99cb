"""Entries that make another entry's trained model smaller."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.dual_encoding import SpacesSettings
from polymatch.settings.section import NAME, Number

Part = Literal[
    "item_rnn",
    "caption_rnn",
    "item_convolutions",
    "caption_convolutions",
    "item_latent",
    "caption_latent",
    "item_concept",
    "caption_concept",
]


class PrunedModelSettings(SpacesSettings):
    """A trained dual encoder, seed by seed, with weights set to zero, units taken out, or in int8.

    What it is pruned from says everything else about it.
    """

    family: Literal["pruned"]
    of: str = Field(pattern=NAME, description="the entry whose trained runs are pruned")
    method: Literal["weights", "units", "int8"] = Field(
        "weights",
        description="`weights`: the smallest of all weights become zero (global L1, unstructured); "
        "`units`: units of the GRUs and channels of the convolutions are taken out; `int8`: "
        "GRUs and projections are computed in 8 bits (dynamic quantisation), and all weights are "
        "stored so",
    )
    rate: Number = Field(
        0.34,
        ge=0,
        lt=1,
        description="share of the weights, or of each layer's units, that goes (weights, units)",
    )
    biases: bool = Field(False, description="biases are pruned like weights (weights)")
    parts: list[Part] | None = Field(
        None, min_length=1, description="parts that are pruned; all eight if not given"
    )
    alpha: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None, description="share of the latent space in `hybrid`; that of `of` if not given"
    )
    fine_tune: bool = Field(
        False,
        description="train it again as `training` says; what was pruned stays out (weights, units)",
    )

    @property
    def trained(self) -> bool:
        return self.fine_tune

    @property
    def members_of(self) -> list[str]:
        return [self.of]

    @property
    def member_family(self) -> str:
        return "dual_encoding"

    @property
    def modules(self) -> list[str]:
        return [*super().modules, "polymatch.models.dual_encoding"]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method == "int8" and self.fine_tune:
            raise ValueError("`fine_tune` needs gradients, which int8 has none of; leave it out")
        if self.method != "weights" and self.biases:
            raise ValueError("`biases` is for method 'weights'; other methods have no use for it")
        for part in self.parts or ():
            if self.method == "units" and not part.endswith(("_rnn", "_convolutions")):
                raise ValueError(f"`parts` names {part!r}, which has no units (units)")
        return self
