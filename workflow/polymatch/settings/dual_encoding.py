"""Entries of the dual-encoding family: frames and words at three levels, into two spaces."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.model import Start, TrainedSettings
from polymatch.settings.section import Number, Section

Sizes = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
Space = Literal["hybrid", "latent", "concept"]
Dropout = Annotated[Number, Field(ge=0, lt=1)]


class SideSettings(Section):
    """The encoder of one side: a GRU over frames or words, and convolutions over what it gives."""

    rnn_size: int = Field(512, ge=1, description="units of the GRU in each direction")
    bidirectional: bool = Field(True, description="the GRU reads in both directions")
    channels: Sizes = Field(
        default=[512, 512, 512], description="channels of each convolution, as many as `kernels`"
    )
    kernels: Sizes = Field(default=[2, 3, 4], description="width of each convolution")
    dropout_latent: Dropout = Field(0.2, description="dropout in front of the latent space")
    dropout_concept: Dropout = Field(0.2, description="dropout in front of the concept space")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.channels) != len(self.kernels):
            raise ValueError(
                f"`channels` has {len(self.channels)} numbers and `kernels` {len(self.kernels)}; "
                "give one of each for every convolution"
            )
        return self


class HybridLossSettings(Section):
    """Hardest-negative hinge loss in both spaces, and cross-entropy with the concept tags."""

    margin: Number = Field(0.2, ge=0, description="margin of the hinge losses")
    hardest: bool = Field(
        True, description="count the hardest negative of each query only, instead of all of them"
    )
    reduction: Literal["mean", "sum"] = Field(
        "mean",
        description="a batch's loss is the mean over its pairs, or their sum as Dual Encoding has "
        "it",
    )


class SpacesSettings(TrainedSettings):
    """Base of entries that are scored in a latent and a concept space, and start from frames."""

    similarities: list[Space] = Field(
        default=["hybrid"],
        min_length=1,
        description="`latent`: cosine; `concept`: Jaccard of tag probabilities; `hybrid`: both",
    )

    @property
    def citations(self) -> list[str]:
        return [
            "Dong et al., Dual Encoding for Video Retrieval by Text, TPAMI 2021",
            "Dual Encoding++: Optimization of Text-Video Retrieval via Fine-tuning and Pruning, "
            "ICCE-Asia 2023",
        ]

    @property
    def scored_by(self) -> list[str]:
        return list(self.similarities)

    @property
    def scored_whole(self) -> bool:
        return "hybrid" in self.similarities

    @property
    def starts_from(self) -> Start:
        return "frames"

    @property
    def needs_tags(self) -> bool:
        return self.trained

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.similarities)) < len(self.similarities):
            raise ValueError("`similarities` names one twice")
        return self


class DualEncodingModelSettings(SpacesSettings):
    """Dual Encoding: mean, GRU and convolutions of frames and words, in a latent and concept space.

    The defaults are those of the paper of Dual Encoding++ (whose code has 0.6 for alpha).
    """

    family: Literal["dual_encoding"]
    alpha: Number = Field(
        0.2,
        ge=0,
        le=1,
        description="share of the latent space in `hybrid`, after both are scaled to 0 to 1 over "
        "the whole matrix",
    )
    embed_dim: int = Field(1536, ge=1, description="width of the latent space")
    word_dim: int = Field(
        500, ge=1, description="width of the word embedding; that of `word_vectors` where given"
    )
    word_vectors: bool = Field(
        False, description="start from the vectors that `words.vectors` names, not from random ones"
    )
    pad_zero: bool = Field(
        True, description="the vector of <pad> is zero and stays so; else it is drawn like others"
    )
    items: SideSettings = Field(
        default_factory=lambda: SideSettings(channels=[512, 512, 512, 512], kernels=[2, 3, 4, 5]),
        description="encoder of frames",
    )
    captions: SideSettings = Field(default_factory=SideSettings, description="encoder of words")
    loss: HybridLossSettings = Field(
        default_factory=HybridLossSettings, description="what it is trained by"
    )
    published_checkpoint: str | None = Field(
        None,
        min_length=1,
        description="checkpoint of the published code: the model is read from it and not trained",
    )

    @property
    def trained(self) -> bool:
        return self.published_checkpoint is None

    @property
    def published_files(self) -> list[str]:
        return [] if self.published_checkpoint is None else [self.published_checkpoint]

    @property
    def needs_word_vectors(self) -> bool:
        return self.word_vectors and self.trained
