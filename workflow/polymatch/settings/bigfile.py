"""The section of BigFile data sets: where their frames are, and which captions are which split."""

from __future__ import annotations

from pydantic import Field

from polymatch.settings.section import Section, Whole


class BigfileSettings(Section):
    """A data set as Dual Encoding has it: BigFile frames and caption files (source `bigfile`)."""

    features: str = Field(
        "FeatureData/resnext101-resnet152",
        min_length=1,
        description="folder of `feature.bin`, `id.txt`, `shape.txt` and `video2frames.txt`; "
        "relative to `data.root`",
    )
    train: str = Field(
        "msrvtt10ktrain",
        min_length=1,
        description="name of train's captions, `TextData/NAME.caption.txt` below `data.root`; the "
        "videos that they are of are train",
    )
    val: str = Field("msrvtt10kval", min_length=1, description="name of val's captions")
    test: str = Field("msrvtt10ktest", min_length=1, description="name of test's captions")
    tiny: Whole = Field(
        10,
        ge=1,
        exclude=True,  # Of no use to any other stage, none of which it makes run again.
        description="videos of each split that the target `tiny` takes, for debugging",
    )
