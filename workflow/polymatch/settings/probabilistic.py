"""Entries of the probabilistic family: PCME, its polynomial surrogate, and its rivals."""

from __future__ import annotations

from typing import Any, Literal, Self

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


class RefreshSettings(Section):
    """Refits of the surrogate to the head's own moments, while the head trains."""

    every: int = Field(5, ge=1, description="epochs between refits; the first is before epoch 1")
    n_pairs: int = Field(20_000, ge=100, description="training pairs of a refit")
    matched_share: Number = Field(
        0.25, ge=0, le=1, description="share of them that match; the others are random"
    )
    margin: Number = Field(
        1.0, ge=0, description="log-variances of a refit are spread by up to this, either way"
    )
    estimator: Literal["gauss_hermite", "gamma", "exact"] = Field(
        "gamma", description="how their probabilities are computed, from the moments or exactly"
    )


class ProbabilisticSettings(TrainedSettings):
    """Gaussian embeddings of both sides, trained by sampling, in closed form or by a surrogate."""

    family: Literal["probabilistic"]
    loss: Literal["sampled", "poly", "mean", "soft", "pcmepp"] = Field(
        description="`sampled`: cosines of samples (PCME as in the seed); `poly`: the polynomial's "
        "logits (no sampling); `mean`: cosines of the means (a control); `soft`: PCME's own soft "
        "contrastive loss; `pcmepp`: PCME++'s closed-form distance with pseudo-positives"
    )
    similarities: list[Literal["mean", "mc", "closed", "poly", "match", "csd"]] = Field(
        min_length=1,
        description="what is measured; each gives a row of its own (`match`: PCME's sampled match "
        "probability, loss `soft`; `csd`: PCME++'s closed-form distance)",
    )
    hidden: int = Field(2048, ge=1, description="hidden units of each projector")
    dropout: Number = Field(0.1, ge=0, lt=1, description="dropout between the two layers")
    min_logvar: Number = Field(-5.0, description="log-variances are clamped from below to this")
    max_logvar: Number = Field(2.0, description="log-variances are clamped from above to this")
    init_logvar: Number = Field(
        0.0, description="log-variance that an untrained head starts around"
    )
    tau: Number = Field(0.07, gt=0, description="temperature: similarities are divided by it")
    K_train: int = Field(5, ge=1, description="samples a side in training (`sampled`, `soft`)")
    K_test: int = Field(15, ge=1, description="samples a side in scoring (`mc`, `match`)")
    init_scale: Number = Field(
        5.0, gt=0, description="first value of the learnt scale (losses `soft`, `pcmepp`)"
    )
    init_shift: Number = Field(5.0, description="first value of the learnt shift (likewise)")
    pseudo_weight: Number = Field(
        0.1, ge=0, description="weight of the pseudo-positives' loss (loss `pcmepp`)"
    )
    mean_weight: Number = Field(
        0.0, ge=0, description="weight of an added loss on the means' cosines (loss `poly`)"
    )
    variance: VarianceSettings = Field(
        default_factory=VarianceSettings, description="variance regulariser"
    )
    teacher: str | None = Field(None, description="entry of `teachers` that the surrogate learns")
    degree: int = Field(6, ge=1, le=10, description="total degree of the polynomial")
    alpha: Number = Field(1e-3, ge=0, description="ridge penalty of the fit")
    published: bool = Field(
        False, description="fit as the published code does: raw features, clipped logits"
    )
    refresh: RefreshSettings | None = Field(
        None, description="refit the surrogate to the head's own moments as it trains, or never"
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
        if self.trained and self._uses_poly and self.teacher is None:
            raise ValueError("loss or similarity 'poly' needs a `teacher`")
        if not self.min_logvar <= self.init_logvar <= self.max_logvar:
            raise ValueError(
                f"init_logvar {self.init_logvar} must lie between min_logvar {self.min_logvar} "
                f"and max_logvar {self.max_logvar}"
            )
        if "match" in self.similarities and self.loss != "soft":
            raise ValueError("similarity 'match' needs loss 'soft', which learns its scale")
        if self.refresh is not None and self.loss != "poly":
            raise ValueError("`refresh` needs loss 'poly'")
        if self.refresh is not None and self.published:
            raise ValueError("`refresh` and `published` exclude each other")
        if len(set(self.similarities)) != len(self.similarities):
            raise ValueError("similarities are named twice")
        return self

    @property
    def scored_by(self) -> list[str]:
        return list(self.similarities)

    @property
    def citations(self) -> list[str]:
        if self.loss == "pcmepp":
            return ["Chun, Improved Probabilistic Image-Text Representations (PCME++), ICLR 2024"]
        return ["Chun et al., Probabilistic Embeddings for Cross-Modal Retrieval (PCME), CVPR 2021"]

    @property
    def learns_scale(self) -> bool:
        """Whether a scale and a shift of the distance are trained with the head."""
        return self.loss in ("soft", "pcmepp")

    @property
    def surrogate_fit(self) -> tuple[Any, ...] | None:
        if not self.trained or not self._uses_poly:
            return None
        return self.teacher, self.degree, self.alpha, self.published

    @property
    def _uses_poly(self) -> bool:
        return self.loss == "poly" or "poly" in self.similarities

    @property
    def trained(self) -> bool:
        return self.published_checkpoint is None

    @property
    def published_files(self) -> list[str]:
        return [path for path in (self.published_checkpoint, self.published_poly) if path]

    @property
    def certified(self) -> bool:
        """Needs the scale and shift of the probability, which only a teacher's entry gives."""
        named = "poly" in self.similarities and self.teacher is not None
        return named or self.needs_surrogate
