"""Studies: a model entry whose settings are searched, one file each in ``config/tuning/``.

Which combinations a search space holds, and what is wrong with it, is :mod:`.search_space`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from polymatch.settings.section import NAME, Number, Section

Choice = bool | int | float | str | None
"""A value of one setting."""


def _scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("a choice is a number, a text, true, false or null")
    return value


Value = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema({"anyOf": [{"type": t} for t in ("number", "string", "boolean", "null")]}),
]
Limit = int | Number


class DimensionSettings(Section):
    """The values of one key of a search space: `choices`, or numbers from `low` to `high`."""

    choices: Annotated[list[Value], Field(min_length=1)] | None = Field(
        None, description="the values, without an order"
    )
    low: Limit | None = Field(None, description="smallest number; whole numbers if both ends are")
    high: Limit | None = Field(None, description="largest number")
    step: Limit | None = Field(None, gt=0, description="distance between numbers; any if not given")
    log: bool = Field(False, description="search evenly over orders of magnitude")
    when: dict[str, Annotated[list[Value], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="other keys (of `base`, or of `space` further up) with the values for which "
        "this one is searched; it is left out otherwise",
    )

    @property
    def whole(self) -> bool:
        """Whether a range is of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> list[Choice]:
        """The choices, or both ends of the range."""
        return [self.low, self.high] if self.choices is None else list(self.choices)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("`choices` go without `low`, `high`, `step` and `log`")
            if len({(type(value), value) for value in self.choices}) != len(self.choices):
                raise ValueError(f"a choice of {self.choices} is there twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("either `choices`, or `low` and `high`, are needed")
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be below high {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("`log` needs a `low` above 0 and no `step`")
        return self


class PrunerSettings(Section):
    """When a trial that lags behind is given up.

    ASHA compares a trial with all others at epochs ``min_resource * reduction_factor **
    (min_early_stopping_rate + i)``, i = 0, 1, ...; the best of each ``reduction_factor`` go on.
    """

    type: Literal["asha", "none"] = Field(
        "asha", description="asynchronous successive halving (ASHA), or never"
    )
    min_resource: int = Field(2, ge=1, description="epochs that the first comparison is based on")
    reduction_factor: int = Field(3, ge=2, description="one of so many trials goes on")
    min_early_stopping_rate: int = Field(
        1, ge=0, description="first comparisons that are left out, each a factor later"
    )

    @property
    def first_epoch(self) -> int:
        """The epoch of the first comparison."""
        return int(self.min_resource * self.reduction_factor**self.min_early_stopping_rate)


class TuningSettings(Section):
    """A study: what is searched, how, and for how long."""

    base: dict[str, Any] = Field(
        description="what all trials have in common: a model entry as under `models` of the "
        "configuration, without what is searched; `training.epochs`, `patience` and `select` in "
        "it are those of `best.yaml`, not of the trials"
    )
    space: dict[str, DimensionSettings] = Field(
        min_length=1, description="dotted keys of the entry (`training.lr`) with their values"
    )
    study: str | None = Field(
        None, pattern=NAME, description="name in the storage; the file's own if not given"
    )
    trials: int = Field(
        50, ge=1, description="finished trials, over all workers, machines and restarts"
    )
    timeout: Number | None = Field(
        None, gt=0, description="seconds after which this run begins no further trial"
    )
    workers: int = Field(1, ge=1, description="processes that work on the study at once")
    jobs: bool = Field(
        False,
        description="each worker is a job of its own, which a cluster runs where it has room; "
        "without it one job has them all",
    )
    seed: int = Field(0, ge=0, description="seed of the sampler")
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="tree-structured Parzen estimator, or random search"
    )
    pruner: PrunerSettings = Field(
        default_factory=PrunerSettings, description="when trials are given up"
    )
    storage: str | None = Field(
        None,
        min_length=1,
        description="where trials are kept: a journal file, or `sqlite:///FILE`; "
        "`results/tuning/NAME/journal.log` if not given",
    )
    stale_seconds: Number = Field(
        600.0,
        gt=0,
        description="a trial of another machine that ends no epoch for so long is not waited for",
    )
    captions: int | None = Field(
        None,
        ge=2,
        description="training captions used, at most: those of whole items, drawn once by "
        "`run_seed`; all if not given",
    )
    epochs: int = Field(20, ge=1, description="epochs of a trial")
    patience: int | None = Field(
        None, ge=1, description="a trial stops after so many epochs without a better one"
    )
    select: Literal["val_rsum", "val_r1", "val_t2v_r1", "val_v2t_r1"] = Field(
        "val_r1", description="figure on val that is maximised, at a trial's best epoch"
    )
    run_seed: int = Field(0, ge=0, description="seed of each trial's training")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first = self.pruner.first_epoch
        if self.pruner.type == "asha" and first >= self.epochs:
            raise ValueError(
                f"the pruner first compares trials at epoch {first} (min_resource * "
                f"reduction_factor ** min_early_stopping_rate), but they have {self.epochs} "
                "epochs: it would never prune; take more epochs, a smaller one of the three, "
                "or type 'none'"
            )
        if self.storage is not None and "://" in self.storage:
            prefix = "sqlite:///"
            if not self.storage.startswith(prefix) or self.storage == prefix:
                raise ValueError(f"storage {self.storage!r} is neither sqlite:///FILE nor a path")
        return self
