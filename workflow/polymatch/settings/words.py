"""The section of the words that captions are made of, for models that read word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from polymatch.errors import ConfigError
from polymatch.settings.section import Section

if TYPE_CHECKING:
    from polymatch.settings.config import Config
    from polymatch.settings.encoder import EncoderSettings


class WordsSettings(Section):
    """Which words have a number, and what becomes of the others."""

    vocabulary: str | None = Field(
        None,
        min_length=1,
        description="a vocabulary in a published JSON format, SCAN's or Dual Encoding++'s; without "
        "it one is built from the captions",
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
        "`unknown_words.csv`), or stops the stage; so does, with style `plain`, a caption without "
        "any letter or digit",
    )


def vectors_named(words: WordsSettings, encoder: EncoderSettings, where: str) -> str:
    """Return where word vectors come from: ``encoder`` or a folder.

    Args:
        where: what needs them, for the message.

    Raises:
        ConfigError: nothing is named, or an encoder that does not run here.
    """
    if words.vectors is None:
        raise ConfigError(
            f"{where}: no word vectors are named; set `words.vectors` to a BigFile folder of "
            "word2vec, or to 'encoder'"
        )
    if words.vectors == "encoder" and encoder.given:
        raise ConfigError(
            f"words.vectors: 'encoder' does not go with `encoder.given: true`, where no text "
            f"encoder runs ({encoder.name!r} is a name only); name a BigFile folder of word2vec"
        )
    return words.vectors


def check_word_vectors(config: Config) -> None:
    """Refuse a model that needs word vectors where none can be had, with a ConfigError."""
    for name, entry in config.entries.items():
        if entry.needs_word_vectors:
            vectors_named(config.words, config.encoder, f"models.{name}.word_vectors")
