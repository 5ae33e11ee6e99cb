"""The section of how similarity matrices are computed and ranked: alone, or in shards, a job each.

Decision: by default a shard is what a family scores in ten minutes, by its measured cost of a pair
(``benchmarks/scale.py``), and a file of 2 GB at most, since a file system gives that back at once.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from polymatch.settings.section import NAME, Section, Shards, Switch

SHARD_SECONDS = 600
LARGEST_SHARD = 500_000_000  # pairs, 4 bytes each


class ScoringSettings(Section):
    """Scoring of runs on the test split; a matrix is the same however it is divided."""

    shards: Shards = Field(
        1,
        description="jobs that the scoring of one run and similarity is divided into, each with "
        "its share of the test items; for models that score pair by pair. `auto`: as many as the "
        "number of pairs asks for",
    )
    shard_pairs: int | None = Field(
        None,
        ge=1,
        description="most pairs of item and caption in a shard, with `shards: auto`; if not given "
        "what the model scores in ten minutes on one core, and 500 million at most",
    )
    models: list[Annotated[str, Field(pattern=NAME)]] | None = Field(
        None,
        description="models whose scoring is divided; if not given all but those scored by "
        "`hybrid`, which is scaled over the whole matrix",
    )
    keep: Switch = Field(
        True,
        description="put the shards together into one matrix, and keep it. Without it ranks are "
        "counted from the shards, a job each, which are deleted then: for matrices that are too "
        "large for one file or one job. The figures are the same",
    )

    def divides(self, model: str) -> bool:
        """Whether this model's scoring is several jobs, or may be."""
        return self.shards != 1 and (self.models is None or model in self.models)

    def shards_of(self, pair_seconds: float, items: int, captions: int) -> int:
        """Shards of a matrix of so many rows and columns; ``pair_seconds`` is what a pair takes.

        >>> ScoringSettings(shards="auto", shard_pairs=1000).shards_of(1e-6, 50, 70)
        4
        """
        if self.shards != "auto":
            return self.shards
        pairs = self.shard_pairs or min(LARGEST_SHARD, max(1, int(SHARD_SECONDS / pair_seconds)))
        return max(1, min(items, -(-items * captions // pairs)))
