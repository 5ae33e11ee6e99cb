"""The section of similarity matrices made elsewhere, which are scored as ours are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from polymatch.errors import ConfigError
from polymatch.settings.explain import suggest
from polymatch.settings.section import Section

if TYPE_CHECKING:
    from polymatch.settings.config import Config

File = Annotated[str, Field(min_length=1)]


class ExternalSettings(Section):
    """A similarity matrix in files, items x captions, and which items and captions those are.

    Either it is of this data set's test split (`captions`, or nothing for the split's own order) or
    of another data set (`caption_items` or `captions_per_item`).
    """

    similarity: list[File] = Field(
        min_length=1,
        description="`.npy` files, items x captions, larger is better; of several, all of one "
        "shape, the mean is scored",
    )
    items: File | None = Field(
        None, description="text file with the item id of each row, one a line"
    )
    captions: File | None = Field(
        None,
        description="text file with the caption id of each column, one a line: captions of this "
        "data set's test split, in any order",
    )
    caption_items: File | None = Field(
        None,
        description="for a matrix of another data set: text file with the item id that each column "
        "belongs to, one a line; without `items`, rows are these ids in order of first appearance",
    )
    captions_per_item: int | None = Field(
        None,
        ge=1,
        description="for a matrix of another data set without id files: columns follow the order "
        "of the rows, so many each",
    )
    against: str | None = Field(
        None,
        description="model that it is compared with by paired tests over the same queries (all its "
        "runs, averaged); only where the matrix is of this data set's test split",
    )
    kind: str | None = Field(None, description="similarity of that model; its first if not given")

    @property
    def own(self) -> bool:
        """Whether the matrix is of the configured data set's test split."""
        return self.caption_items is None and self.captions_per_item is None

    @property
    def id_files(self) -> dict[str, str]:
        """Key -> file of ids, for the keys that are given."""
        named = {
            "items": self.items,
            "captions": self.captions,
            "caption_items": self.caption_items,
        }
        return {key: path for key, path in named.items() if path is not None}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = {
            "captions": self.captions,
            "caption_items": self.caption_items,
            "captions_per_item": self.captions_per_item,
        }
        given = [f"`{key}`" for key, value in columns.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both say whose the columns are; give one")
        if self.against is not None and not self.own:
            raise ValueError(
                f"`against` needs the queries of this data set, but {given[0]} is for a matrix of "
                "another one; name the columns by `captions`, or leave `against` out"
            )
        if self.kind is not None and self.against is None:
            raise ValueError("`kind` is a similarity of the model `against`, which is not given")
        return self


def check_external(config: Config) -> None:
    """Check that each matrix is compared with a similarity that there is.

    Raises:
        ConfigError: an unknown model, or one without this similarity.
    """
    for name, entry in config.external.items():
        where = f"external.{name}"
        if entry.against is None:
            continue
        if entry.against not in config.entries:
            raise ConfigError(
                f"{where}.against: unknown model {entry.against!r}; "
                f"{suggest(entry.against, config.entries)}"
            )
        kinds = config.model_entry(entry.against).scored_by
        if entry.kind is not None and entry.kind not in kinds:
            raise ConfigError(
                f"{where}.kind: {entry.against!r} has no similarity {entry.kind!r}; "
                f"{suggest(entry.kind, kinds)}"
            )
