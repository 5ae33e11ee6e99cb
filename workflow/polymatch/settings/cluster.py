"""The section of what jobs ask a cluster for: partition, account, GPUs, memory and time.

Nothing here decides what is computed, so that changing it makes no job run again. Where jobs run on
this machine nothing holds them to what they ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from polymatch.errors import ConfigError
from polymatch.settings.explain import suggest
from polymatch.settings.section import Number, Section, Switch, Whole

Stage = Literal["extraction", "training", "scoring", "measuring"]

RULES_OF: dict[Stage, tuple[str, ...]] = {
    "extraction": ("extract_items", "extract_captions"),
    "training": ("train", "tune"),
    "scoring": ("score", "score_shard"),
    "measuring": ("measure",),
}
"""Stages that may compute on a GPU, and their rules."""


class RuleSettings(Section):
    """What the jobs of one rule ask for instead of what the rule says."""

    mem_mb: Whole | None = Field(None, ge=1, description="memory of the first attempt, in MB")
    runtime: Whole | None = Field(None, ge=1, description="time of the first attempt, in minutes")
    gpus: Whole | None = Field(None, ge=0, description="GPUs")
    partition: str | None = Field(None, min_length=1, description="partition")


class ClusterSettings(Section):
    """What jobs ask a cluster for; no job runs again for it."""

    partition: str | None = Field(
        None, min_length=1, description="partition of all jobs; the cluster's default if not given"
    )
    account: str | None = Field(
        None,
        min_length=1,
        description="account that is charged; only where the cluster has accounting",
    )
    gpus: list[Stage] = Field(
        default=[],
        description="stages whose jobs ask for a GPU each; `device: auto` finds it",
    )
    gpu_partition: str | None = Field(
        None, min_length=1, description="partition of jobs with a GPU; `partition` if not given"
    )
    growth: Number = Field(
        2.0,
        ge=1,
        description="what memory and time are multiplied by at every further attempt (the "
        "profile's `retries`)",
    )
    seeds_together: Switch = Field(
        False,
        description="one job trains all seeds of a model: for trainings of seconds; otherwise "
        "each is a job of its own",
    )
    rules: dict[Annotated[str, Field(pattern=r"^[a-z_]+$")], RuleSettings] = Field(
        default_factory=dict, description="by rule, what its jobs ask for instead"
    )

    def grown(self, amount: float, attempt: int) -> int:
        """``amount`` of memory or time for the given attempt, counted from 1.

        >>> [ClusterSettings().grown(1500, attempt) for attempt in (1, 2, 3)]
        [1500, 3000, 6000]
        """
        return math.ceil(amount * self.growth ** (attempt - 1))

    def places(self, rule: str) -> dict[str, str | int]:
        """Where a rule's jobs run: resources by the names that the SLURM plugin gives them.

        >>> ClusterSettings(gpus=["training"], gpu_partition="a100").places("train")
        {'gpu': 1, 'slurm_partition': 'a100'}
        """
        own = self.rules.get(rule, RuleSettings())
        gpus = own.gpus
        if gpus is None:
            gpus = int(any(rule in RULES_OF[stage] for stage in self.gpus))
        partition = own.partition or (self.gpu_partition if gpus else None) or self.partition
        wanted: dict[str, str | int | None] = {
            "gpu": gpus or None,
            "slurm_partition": partition,
            "slurm_account": self.account,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def check_rules(self, known: Iterable[str]) -> None:
        """Refuse a rule that the workflow does not have, with a ConfigError."""
        known = sorted(known)
        for name in self.rules:
            if name not in known:
                raise ConfigError(
                    f"cluster.rules: this workflow has no rule {name!r}; {suggest(name, known)}"
                )
