"""The section `encoder`: which frozen networks read items and captions, and how they are run."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from polymatch.settings.section import Section, Shards

Side: TypeAlias = Literal["items", "captions"]
Precision: TypeAlias = Literal["auto", "float32", "float16", "bfloat16"]


class SideSettings(Section):
    """The network of one side: items or captions."""

    module: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="module of `polymatch.encoders` that runs it"
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="which weights: a name on the model hub, or a local folder or file; the "
        "module's own if not given",
    )
    revision: str | None = Field(
        None,
        min_length=1,
        description="commit of the model on the hub, so that it is the same next year; needed for "
        "a `model` that is no local path and that the module does not pin itself",
    )
    python: str | None = Field(
        None,
        min_length=1,
        description="interpreter of an environment made by hand that has what the module imports, "
        "where that is not the workflow's own and `--sdm conda` is not used",
    )
    memory_mb: int = Field(
        4000,
        ge=1,
        description="memory of a job that runs it, in MB, for a cluster; weights and all",
    )


class EncoderSettings(Section):
    """Which frozen encoder, and how it is run."""

    name: str = Field(
        "efficientnet_minilm",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="name in paths and tables; without `items` and `captions` also the module of "
        "`polymatch.encoders` that runs both sides",
    )
    items: SideSettings | None = Field(None, description="network of the items, if it has its own")
    captions: SideSettings | None = Field(
        None, description="network of the captions, if it has its own"
    )
    given: bool = Field(
        False,
        description="features come with the data set (sources `embeddings`, `encoded_pairs`, "
        "`scan_precomp`, `bigfile`); nothing is extracted",
    )
    batch_size: int = Field(
        32, ge=1, description="frames that are encoded together and held in memory"
    )
    precision: Precision = Field(
        "auto",
        description="numbers that the networks compute with: `auto` is bfloat16 on GPUs that have "
        "it, float16 on others, and float32 on CPUs",
    )
    stored: Literal["float32", "float16"] = Field(
        "float32", description="numbers that features of frames and regions are stored with"
    )
    shards: Shards = Field(
        1,
        description="jobs that the extraction of items, and that of captions, is divided into; "
        "those that have finished are kept when one stops. The result does not depend on it. "
        "`auto`: as many as `shard_items` and `shard_captions` ask for",
    )
    shard_items: int = Field(
        2000, ge=1, description="most items of a job, with `shards: auto`; a clip takes a second"
    )
    shard_captions: int = Field(
        50_000, ge=1, description="most captions of a job, with `shards: auto`"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.given and (self.items or self.captions):
            raise ValueError(
                "`given` says that nothing is extracted, so `items` and `captions` have no use"
            )
        return self

    def side(self, name: Side) -> SideSettings:
        """The network of a side: its own, or the module that the encoder is named after."""
        return getattr(self, name) or SideSettings(module=self.name)

    def shards_of(self, name: Side, number: int) -> int:
        """Jobs that the extraction of ``number`` items or captions is divided into.

        >>> EncoderSettings(shards="auto", shard_items=40).shards_of("items", 100)
        3
        """
        if self.shards != "auto":
            return self.shards
        most = self.shard_items if name == "items" else self.shard_captions
        return max(1, -(-number // most))

    def of(self, name: Side) -> EncoderSettings:
        """The settings that a side's features depend on; all others are as if not given."""
        own = getattr(self, name)
        if own is not None:
            own = SideSettings(module=own.module, model=own.model, revision=own.revision)
        kept = {"name": self.name, "given": self.given, "precision": self.precision, name: own}
        if name == "items":
            kept |= {"batch_size": self.batch_size, "stored": self.stored}
        return EncoderSettings(**kept)
