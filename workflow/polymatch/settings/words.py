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
    style: Literal["sentence", "plain"] = Field(
        "sentence",
        description="`sentence`: NLTK's words between <start> and <end>, as SCAN's models read; "
        "`plain`: letters and digits alone, nothing in front or behind, as Dual Encoding++ reads",
    )
    vectors: str | None = Field(
        None,
        min_length=1,
        description="where word vectors come from, for models with `word_vectors`: a BigFile "
        "folder of word2vec, or `encoder` for the text encoder's own input embeddings",
    )
    unknown: Literal["unk", "stop"] = Field(
        "unk",
        description="a word that is not in the vocabulary is `<unk>` (and counted in "
        "`unknown_words.csv`), or stops the stage",
    )
