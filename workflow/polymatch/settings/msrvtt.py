"""Settings of the source `msrvtt`: which split, and how many sentences a clip has."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from polymatch.settings.section import Section


class MsrvttSettings(Section):
    """MSR-VTT's clips: the split and the protocol."""

    split: Literal["1k-a", "official"] = Field(
        "1k-a",
        description="`1k-a`: 1,000 test clips with a sentence each (Yu et al., JSFusion); "
        "`official`: 6,513 / 497 / 2,990 clips with 20 sentences each",
    )
    train: Literal["9k", "7k"] = Field(
        "9k",
        description="list of train's clips of 1K-A: 9,000, of which 415 are cut from videos that "
        "test has clips of too, or 7,010, of which none is (1k-a)",
    )
    lists: Literal["pinned", "own"] = Field(
        "pinned",
        description="whether the clips of each split must be the published ones, by number and "
        "checksum of their ids; `own` takes any, and says so in the protocol's name",
    )
    train_sentences: Literal["all", "one"] = Field(
        "all", description="sentences of a clip that are trained on: all 20, or the first"
    )
    test_sentences: Literal["all", "one"] | None = Field(
        None,
        description="sentences of a clip that are asked for on val and test: one (1k-a, where it "
        "is the one of its list, on val the first) or all 20 (official, where `one` is the first) "
        "if not given",
    )

    @model_validator(mode="after")
    def _known_protocol(self) -> Self:
        if self.split == "1k-a" and self.test_sentences == "all":
            raise ValueError(
                "test_sentences: 1K-A asks for one sentence a clip, the one of its list; all 20 "
                "give figures that compare with nothing. Set it to 'one', or `split` to 'official'"
            )
        return self

    @property
    def asked(self) -> Literal["all", "one"]:
        """Sentences of a clip that are asked for, by default as the split's figures are made."""
        return self.test_sentences or ("one" if self.split == "1k-a" else "all")
