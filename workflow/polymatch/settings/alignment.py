"""Entries of the alignment family: SAF, SGR and their ensemble SGRAF over regions and words."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.model import Start, TrainedSettings
from polymatch.settings.section import Number, Section


class RankingLossSettings(Section):
    """The hinge loss with the DAA loss beside it, and SmoothAP if it is given a weight."""

    margin: Number = Field(0.2, ge=0, description="margin of the hinge loss")
    hardest: bool = Field(
        True, description="count the hardest negative of each query only, instead of all of them"
    )
    daa_weight: Number = Field(
        25.0, ge=0, description="weight of the DAA loss in each direction; 0 leaves it out"
    )
    daa_temperature: Number = Field(
        1e-3, gt=0, description="temperature of the sigmoids that its ranks are made of"
    )
    smooth_ap_weight: Number = Field(
        0.0, ge=0, description="weight of the SmoothAP loss in each direction; 0 leaves it out"
    )
    smooth_ap_temperature: Number = Field(1e-3, gt=0, description="temperature of its sigmoids")
    published: bool = Field(
        False,
        description="the published code's DAA, which compares candidates of different queries, "
        "instead of the paper's",
    )


class AlignmentModelSettings(TrainedSettings):
    """Similarity from word-to-region attention: of filtered (SAF) or reasoned (SGR) alignments."""

    family: Literal["alignment"]
    module: Literal["saf", "sgr", "sgraf"] = Field(
        description="`saf`: attention filtration; `sgr`: graph reasoning; `sgraf`: mean of both"
    )
    embed_dim: int = Field(1024, ge=1, description="width of regions and words in the shared space")
    word_dim: int = Field(300, ge=1, description="width of the word embedding")
    sim_dim: int = Field(256, ge=1, description="width of similarity vectors")
    num_layers: int = Field(1, ge=1, description="layers of the GRU")
    bidirectional: bool = Field(
        True, description="read captions in both directions, and take the mean"
    )
    steps: int = Field(3, ge=1, description="steps of graph reasoning (sgr)")
    smoothing: Number = Field(9.0, gt=0, description="scale of attention before its softmax")
    dropout: Number = Field(
        0.4, ge=0, lt=1, description="dropout of word embeddings and of both global vectors"
    )
    normalise_items: bool = Field(True, description="regions have unit length in the shared space")
    normalise_words: bool = Field(True, description="words have unit length in the shared space")
    loss: RankingLossSettings = Field(
        default_factory=RankingLossSettings, description="what it is trained by"
    )
    members: list[str] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="the entries whose runs of the same seed are put together, of a `saf` and of "
        "a `sgr` (sgraf); nothing is trained then",
    )
    published_checkpoint: list[str] | None = Field(
        None,
        min_length=1,
        max_length=2,
        description="checkpoint (model_best.pth.tar) of the published code, or those of SAF and "
        "SGR for `sgraf`: the model is read from it and not trained",
    )

    @property
    def citations(self) -> list[str]:
        return [
            "Diao et al., Similarity Reasoning and Filtration for Image-Text Matching, AAAI 2021",
            "Li et al., A Differentiable Semantic Metric Approximation in Probabilistic Embedding "
            "for Cross-Modal Retrieval, NeurIPS 2022",
        ]

    @property
    def scored_by(self) -> list[str]:
        return [self.module]

    @property
    def pair_seconds(self) -> float:
        return {"saf": 1.2e-4, "sgr": 2.4e-4, "sgraf": 3.6e-4}[self.module]

    @property
    def starts_from(self) -> Start:
        return "regions"

    @property
    def trained(self) -> bool:
        return self.published_checkpoint is None and self.members is None

    @property
    def members_of(self) -> list[str]:
        return self.members or []

    @property
    def published_files(self) -> list[str]:
        return self.published_checkpoint or []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wanted = 2 if self.module == "sgraf" else 1
        if self.members is not None and wanted == 1:
            raise ValueError("`members` is for module 'sgraf', which is the mean of two models")
        if self.members is not None and self.published_checkpoint is not None:
            raise ValueError("`members` and `published_checkpoint` both say where weights are from")
        if self.module == "sgraf" and self.trained:
            raise ValueError(
                "module 'sgraf' needs `members`, the names of a `saf` and of a `sgr` entry, or "
                "`published_checkpoint`: its two halves are trained apart"
            )
        if self.published_checkpoint is not None and len(self.published_checkpoint) != wanted:
            raise ValueError(
                f"module {self.module!r} is read from {wanted} checkpoint"
                f"{'s, of SAF and of SGR' if wanted == 2 else ''}, but "
                f"{len(self.published_checkpoint)} are given"
            )
        return self
