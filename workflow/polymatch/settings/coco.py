"""Settings of the source `coco`: which split of its pictures, and which captions are asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polymatch.settings.section import Section


class CocoSettings(Section):
    """COCO's pictures with captions: the split and the protocol."""

    split: Literal["karpathy", "2017"] = Field(
        "karpathy",
        description="`karpathy`: 113,287 / 5,000 / 5,000 pictures of 2014 (restval is in train); "
        "`2017`: COCO's own lists, where val is test and val is cut from train",
    )
    restval: bool = Field(
        True, description="whether the 30,504 pictures of restval are in train (karpathy)"
    )
    test_sentences: Literal["five", "all"] = Field(
        "five",
        description="captions of a picture that are asked for on val and test: the first five, as "
        "in the field (25,000 on 5,000 pictures), or all, where a few pictures have six or seven",
    )
