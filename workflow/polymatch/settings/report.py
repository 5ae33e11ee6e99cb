"""The section of the page ``results/report.html``: how much of everything it shows.

The page is one file with all that it shows, so each of these bounds its size.
"""

from __future__ import annotations

from pydantic import Field

from polymatch.settings.section import Number, Section


class ReportSettings(Section):
    """What the page holds beside tables and curves."""

    queries: int = Field(
        6,
        ge=0,
        le=50,
        description="queries of each direction whose answers are shown for every model: so many on "
        "which the models differ most, and as many drawn at random; 0 leaves them out",
    )
    changed: int = Field(
        6,
        ge=1,
        le=50,
        description="queries listed as won, and as lost, by one model against another, in each "
        "direction; all are counted",
    )
    thumbnail: int = Field(
        80, ge=32, le=160, description="longest side of a picture on the page, in pixels"
    )
    pictures_mb: Number = Field(
        2.0,
        ge=0,
        le=20,
        description="room for all pictures, in MB; those shown most often come first, and items "
        "without a picture show their id",
    )
    points: int = Field(
        1500, ge=10, le=20_000, description="points of each picture of a space, drawn at random"
    )
    seed: int = Field(0, ge=0, description="seed of what is drawn at random")
