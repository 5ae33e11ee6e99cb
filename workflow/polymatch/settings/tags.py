"""The section of concept tags: which words tell what an item shows, for a concept space."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polymatch.settings.section import Section


class TagsSettings(Section):
    """Tags are lemmas of the nouns, verbs and adjectives in an item's captions.

    They are counted in the captions of train (of the kinds in `data.train_captions`); those of val
    are only used for its loss, those of test never.
    """

    vocabulary: str | None = Field(
        None,
        min_length=1,
        description="a published `tag_vocab.json`; without it one is built from train's captions",
    )
    annotations: str | None = Field(
        None,
        min_length=1,
        description="a published `video_tag.txt`, the tags of each item with their counts; without "
        "it they are counted",
    )
    size: Annotated[int, Field(ge=1)] = Field(512, description="tags at most, the commonest")
    min_count: Annotated[int, Field(ge=1)] = Field(
        5, description="how often a lemma must be in train's captions to be a tag"
    )
    min_item_count: Annotated[int, Field(ge=1)] = Field(
        2, description="how often a tag must be in an item's captions to be the item's"
    )
    untagged: Literal["stop", "leave_out"] = Field(
        "stop",
        description="an item of train without any tag stops the stage, or is left out of the loss "
        "of concepts and listed in `untagged_items.csv`",
    )
