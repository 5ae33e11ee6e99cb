"""The section of what is drawn for single runs: their space, and what they retrieve."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polymatch.settings.section import NAME, Number, Section


class PicturesSettings(Section):
    """Pictures of a run: PCA and t-SNE of its space, and sheets of what it retrieves."""

    models: list[Annotated[str, Field(pattern=NAME)]] | None = Field(
        None,
        description="models that the main job draws, on their first seed and first similarity; "
        "all if not given (any other run is drawn when asked for)",
    )
    pairs: int = Field(
        300,
        ge=3,
        description="test items in the pictures of the space, each joined with one of its captions",
    )
    perplexity: Number = Field(
        30.0, gt=1, description="perplexity of t-SNE; less where there are too few points"
    )
    colour_by: Literal["subgroup", "group_id"] = Field(
        "subgroup",
        description="column of the manifest that points are coloured by; `group_id` where the data "
        "set has no subgroups",
    )
    colours: int = Field(
        8, ge=0, le=8, description="groups that get a colour, the largest; the others are grey"
    )
    queries: int = Field(
        8,
        ge=1,
        le=20,
        description="queries of each direction on a sheet: half with the right answer first, a "
        "quarter with rank 2 to 10, a quarter further down",
    )
    seed: int = Field(
        0, ge=0, description="seed of what is drawn from the test split, and of t-SNE"
    )
