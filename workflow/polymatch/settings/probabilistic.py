"""Entries of the probabilistic family: PCME by sampling, and its polynomial surrogate."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.model import TrainedSettings
from polymatch.settings.section import Number, Section


class VarianceSettings(Section):
    """What keeps the variances of a probabilistic head from collapsing or exploding."""

    kind: Literal["kl", "upper", "lower", "target", "penalty", "none"] = Field(
        "kl", description="KL to N(0, I), a bound on the variance, a target, its mean, or nothing"
    )
    weight: Number = Field(1e-3, ge=0, description="weight of the regulariser in the loss")
    max_var: Number = Field(0.09, gt=0, description="bound of `upper`")
    min_var: Number = Field(0.1, gt=0, description="bound of `lower`")
    target_sigma: Number = Field(0.3, gt=0, description="standard deviation that `target` pulls to")


class ProbabilisticSettings(TrainedSettings):
    """Gaussian embeddings of both sides, trained by sampling or through a surrogate."""

    family: Literal["probabilistic"]
    loss: Literal["sampled", "poly"] = Field(
        description="cosines of samples (PCME), or the polynomial's logits (no sampling)"
    )
    similarities: list[Literal["mean", "mc", "closed", "poly"]] = Field(
        min_length=1, description="what is measured; each gives a row of its own"
    )
    hidden: int = Field(2048, ge=1, description="hidden units of each projector")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout between the two layers")
    min_logvar: Number = Field(-5.0, description="log-variances are clamped from below to this")
    max_logvar: Number = Field(2.0, description="log-variances are clamped from above to this")
    tau: Number = Field(0.07, gt=0, description="temperature: similarities are divided by it")
    K_train: int = Field(5, ge=1, description="samples a side in training (loss `sampled`)")
    K_test: int = Field(15, ge=1, description="samples a side in scoring (similarity `mc`)")
    variance: VarianceSettings = Field(
        default_factory=VarianceSettings, description="variance regulariser"
    )
    teacher: str | None = Field(None, description="entry of `teachers` that the surrogate learns")
    degree: int = Field(6, ge=1, le=10, description="total degree of the polynomial")
    alpha: Number = Field(1e-3, ge=0, description="ridge penalty of the fit")
    published: bool = Field(
        False, description="fit as the published code does: raw features, clipped logits"
    )
    published_checkpoint: str | None = Field(
        None,
        description="checkpoint (.pth) of the published code: the model is read from it and not "
        "trained; `hidden` must be the checkpoint's",
    )
    published_poly: str | None = Field(
        None,
        description="coefficients (.pt) of the published `fit_poly`, for a checkpoint without them",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_logvar >= self.max_logvar:
            raise ValueError(
                f"min_logvar {self.min_logvar} must be below max_logvar {self.max_logvar}"
            )
        if self.published_poly is not None and self.published_checkpoint is None:
            raise ValueError("`published_poly` goes with a `published_checkpoint`")
        if self.needs_surrogate and self.teacher is None:
            raise ValueError("loss or similarity 'poly' needs a `teacher`")
        if len(set(self.similarities)) != len(self.similarities):
            raise ValueError("similarities are named twice")
        return self

    @property
    def scored_by(self) -> list[str]:
        return list(self.similarities)

    @property
    def trained(self) -> bool:
        return self.published_checkpoint is None

    @property
    def published_files(self) -> list[str]:
        return [path for path in (self.published_checkpoint, self.published_poly) if path]

    @property
    def needs_surrogate(self) -> bool:
        return self.trained and (self.loss == "poly" or "poly" in self.similarities)

    @property
    def certified(self) -> bool:
        """Needs the scale and shift of the probability, which only a teacher's entry gives."""
        named = "poly" in self.similarities and self.teacher is not None
        return named or self.needs_surrogate
