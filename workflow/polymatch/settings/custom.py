"""Settings of the source `custom`: files and captions of one's own."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from polymatch.settings.section import Number, Section

Layout: TypeAlias = Literal["table", "folder", "flickr8k", "webdataset"]

# Which layouts a key means something to.
_KEYS: dict[str, tuple[Layout, ...]] = {
    "table": ("table", "flickr8k"),
    "files": ("table", "flickr8k"),
    "columns": ("table", "folder"),
    "shards": ("webdataset",),
    "unpacked": ("webdataset",),
}

_Column = Annotated[str, Field(min_length=1)]


class ColumnSettings(Section):
    """Columns of a table whose names are not the usual ones."""

    file: _Column | None = Field(
        None, description="the file; `path`, `file`, `image`, `video`, ..."
    )
    caption: _Column | None = Field(
        None, description="the caption; `caption`, `text`, `sentence`, `title`"
    )
    split: _Column | None = Field(None, description="the split; `split`, if there")
    id: _Column | None = Field(None, description="the item's id; `id` or `item_id`, if there")
    group: _Column | None = Field(
        None, description="what no split separates; `group` or `group_id`, if there"
    )
    language: _Column | None = Field(None, description="its language; `language`, if there")
    kind: _Column | None = Field(None, description="its kind; `kind`, if there")
    caption_id: _Column | None = Field(
        None, description="the caption's own id; `caption_id`, if there"
    )


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
    files: str | None = Field(
        None,
        min_length=1,
        description="folder below `data.root` that the file names in the table start from; "
        "`data.root` itself if not given (flickr8k: wherever a file of that name is)",
    )
    columns: ColumnSettings = Field(
        default_factory=ColumnSettings,
        description="columns of the table whose names are not the usual ones",
    )
    shards: Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="tar files below `data.root`, with braces for several: "
        "`train-{000..009}.tar`; all that are there if not given (webdataset)",
    )
    unpacked: str | None = Field(
        None,
        min_length=1,
        description="folder that pictures and clips of tar files are unpacked to; "
        "`results/NAME/unpacked` if not given (webdataset)",
    )
    language: str = Field(
        "en", min_length=1, description="language of captions of which the table says none"
    )
    test_share: Annotated[Number, Field(gt=0, lt=1)] = Field(
        0.1, description="share of the items that is test where no split is given"
    )

    @model_validator(mode="after")
    def _keys_of_the_layout(self) -> Self:
        for key, layouts in _KEYS.items():
            if self.layout not in ("auto", *layouts) and key in self.model_fields_set:
                raise ValueError(
                    f"`{key}` is for layout {' or '.join(layouts)}, not for {self.layout!r}"
                )
        return self
