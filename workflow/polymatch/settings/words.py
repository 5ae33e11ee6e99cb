"""The section of the words that captions are made of, for models that read word by word."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polymatch.settings.section import Section


class WordsSettings(Section):
    """Which words have a number, and what becomes of the others."""

    vocabulary: str | None = Field(
        None,
        min_length=1,
        description="a vocabulary in the published JSON format; without it one is built from the "
        "captions",
    )
    splits: Annotated[list[Literal["train", "val", "test"]], Field(min_length=1)] = Field(
        default=["train", "val"],
        description="splits whose captions (of the kinds in `data.train_captions`) a vocabulary is "
        "built from",
    )
    min_count: int = Field(
        4, ge=1, description="how often a word must be in these captions to be in it"
    )
    unknown: Literal["unk", "stop"] = Field(
        "unk",
        description="a word that is not in the vocabulary is `<unk>` (and counted in "
        "`unknown_words.csv`), or stops the stage",
    )
