"""What every head's and every loss's section has."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from polymatch.settings.section import Number, Section

LARGEST_SCALE = 100.0
"""A learnt scale of the logits ends here, as CLIP's (Radford et al., 2021, section 2.5)."""


class HeadSettings(Section):
    """Base of the heads: ``type`` names the module of ``polymatch.models.projection``."""

    type: str
    output_dim: int = Field(512, ge=1, description="width of the space that both sides end in")

    @property
    def similarity(self) -> str:
        """Name of the similarity that this head is scored by."""
        return "cosine"

    @property
    def pair_seconds(self) -> float:
        """What scoring a pair of item and caption takes on one core, about."""
        return 1e-7


class LossSettings(Section):
    """Base of the losses: ``type`` names the module of ``polymatch.losses.projection``."""

    paper: ClassVar[str] = ""
    type: str
    tau: Number = Field(
        0.07, gt=0, description="temperature: similarities are divided by it (its first value)"
    )
    learnable: bool = Field(
        False, description="train the temperature with the head, down to 0.01 as CLIP does"
    )

    @property
    def first_bias(self) -> float:
        """What is added to every logit, at first."""
        return 0.0

    @property
    def learns_bias(self) -> bool:
        """Whether that is trained too."""
        return False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.learnable and self.tau * LARGEST_SCALE < 1:
            raise ValueError(
                f"a temperature that is learnt never goes below {1 / LARGEST_SCALE:g}, but tau is "
                f"{self.tau:g}; raise it, or set `learnable: false`"
            )
        return self


def check_heads(width: int | None, num_heads: int) -> None:
    """Raise ValueError unless attention of ``width`` splits into ``num_heads`` equal parts."""
    if width is not None and width % num_heads:
        raise ValueError(
            f"hidden_dim {width} is not divisible by num_heads {num_heads}, among which attention "
            "shares it"
        )
