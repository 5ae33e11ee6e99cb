"""The section of SCAN's precomputed data sets: which of their splits are read, and how."""

from __future__ import annotations

from pydantic import Field

from polymatch.settings.section import Section


class PrecompSettings(Section):
    """SCAN's precomputed data sets, by the names of their splits (source `scan_precomp`)."""

    train: str = Field(
        "train",
        min_length=1,
        description="name of train's files: `NAME_ims.npy`, `NAME_caps.txt` and, where they are "
        "there, `NAME_ids.txt` (of images) and `NAME_capids.txt` (of captions)",
    )
    val: str = Field("dev", min_length=1, description="name of val's files")
    test: str = Field(
        "test", min_length=1, description="name of test's files; `testall` for all 5,000 of COCO"
    )
    captions_per_image: int = Field(
        5, ge=1, description="captions of each image, which are neighbours in `NAME_caps.txt`"
    )
    val_images: int | None = Field(
        1000,
        ge=1,
        description="images of val that are used, the first ones: published is 1,000, with 5,000 "
        "captions; all if null",
    )
