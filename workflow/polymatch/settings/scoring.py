"""The section of how similarity matrices are computed: alone, or in shards that are jobs each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from polymatch.settings.section import NAME, Section


class ScoringSettings(Section):
    """Scoring of runs on the test split; a matrix is the same however it is divided."""

    shards: int = Field(
        1,
        ge=1,
        description="jobs that the scoring of one run and similarity is divided into, each with "
        "its share of the test items; for models that score pair by pair",
    )
    models: list[Annotated[str, Field(pattern=NAME)]] | None = Field(
        None,
        description="models whose scoring is divided; if not given all but those scored by "
        "`hybrid`, which is scaled over the whole matrix",
    )

    def divides(self, model: str) -> bool:
        """Whether this model's scoring is several jobs."""
        return self.shards > 1 and (self.models is None or model in self.models)
