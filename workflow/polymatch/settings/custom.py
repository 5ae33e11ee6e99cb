"""Settings of the source `custom`: files and captions of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polymatch.settings.section import Number, Section


class CustomSettings(Section):
    """Files and captions of one's own, in one of the layouts that are recognised."""

    layout: Literal["auto", "table", "folder", "flickr8k", "webdataset"] = Field(
        "auto",
        description="a CSV, TSV or JSON Lines table of files and captions; a folder of files with "
        "a text file each; Flickr8k's token file; WebDataset's tar files; or whichever is found",
    )
    table: str | None = Field(
        None, min_length=1, description="the table or token file, below `data.root`"
    )
    test_share: Annotated[Number, Field(gt=0, lt=1)] = Field(
        0.1, description="share of the items that is test where no split is given"
    )
