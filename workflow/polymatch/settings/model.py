"""What every family's model entry has: family, training, the similarities it is scored by."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from polymatch.settings.section import Number, Section

Start: TypeAlias = Literal[
    "embeddings", "features", "regions", "frames", "audio", "audio_all", "fused"
]

Select: TypeAlias = Literal[
    "val_rsum", "val_t2v_rsum", "val_v2t_rsum", "val_r1", "val_t2v_r1", "val_v2t_r1", "last"
]


class TrainingSettings(Section):
    """How the one loop trains a head."""

    epochs: int = Field(20, ge=1, description="passes over the training captions")
    lr: Number = Field(1e-4, gt=0, description="peak learning rate of AdamW")
    batch_size: int = Field(64, ge=2, description="captions a batch, each with its item")
    weight_decay: Number = Field(1e-4, ge=0, description="decoupled weight decay of AdamW")
    schedule: Literal["cosine", "step", "plateau"] = Field(
        "cosine",
        description="the rate falls along a cosine, by `step_factor` every `step_epochs`, or as "
        "val says (`decay`, `stale_epochs`)",
    )
    final_lr: Number = Field(
        0.1, ge=0, le=1, description="share of `lr` that the cosine schedule ends at"
    )
    step_epochs: int | None = Field(
        None, ge=1, description="epochs after which the rate falls, again and again (step)"
    )
    step_factor: Number = Field(0.1, gt=0, le=1, description="what it is multiplied by then (step)")
    decay: Number = Field(
        0.99,
        gt=0,
        le=1,
        description="what the rate is multiplied by after every epoch, or with `reload` after "
        "those that are the best so far (plateau)",
    )
    stale_epochs: int = Field(
        3,
        ge=1,
        description="epochs that a rate is kept before an epoch that is not the best makes it fall "
        "by `stale_factor`; with `reload` so many in a row must not be the best (plateau)",
    )
    stale_factor: Number = Field(
        0.5, gt=0, le=1, description="what the rate is multiplied by then (plateau)"
    )
    reload: bool = Field(
        False, description="go on from the best weights so far then, as Dual Encoding++ (plateau)"
    )
    clip_norm: Number = Field(1.0, gt=0, description="largest gradient norm; more is scaled down")
    select: Select = Field(
        "val_rsum",
        description="keep the epoch that is best on val by this figure (`val_r1`: mean of both "
        "directions; `val_rsum`: sum of both), or the last one",
    )
    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without a better one; never if not given"
    )
    memory_mb: int = Field(
        1024,
        ge=1,
        description="training features up to this size are held in memory; larger ones are read "
        "from disk as they are needed",
    )
    checkpoint_seconds: Number = Field(
        20.0,
        ge=0,
        description="least time between two savings of the state that a killed training resumes "
        "from, within epochs too (a twentieth of the time may go into it); 0 saves after every "
        "epoch, and not within",
    )
    processes: int = Field(
        1,
        ge=1,
        description="processes that share a training, with a GPU each where there are some; the "
        "result is that of one process. Each reads and encodes its share of a batch, and scores "
        "its share of the pairs where that is dear (family `alignment`); small heads gain nothing",
    )
    tensorboard: bool = Field(
        False, description="also write the history as TensorBoard events, into `RUN/tensorboard`"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.schedule == "plateau" and self.select == "last":
            raise ValueError("`schedule: plateau` follows val, but `select: last` does not look")
        if self.patience is not None and self.select == "last":
            raise ValueError("`patience` waits for a better epoch, but `select: last` knows none")
        if (self.step_epochs is not None) != (self.schedule == "step"):
            raise ValueError("`step_epochs` goes with `schedule: step`, and is needed there")
        return self


class ModelSettings(Section):
    """Base of every family's entry under `models:`.

    A family subclasses it, or :class:`TrainedSettings`, in a module of its own in this package and
    gives ``family`` as a ``Literal``; nothing else has to be edited.
    """

    family: str

    @property
    def trained(self) -> bool:
        """Whether seeds matter: an untrained model is one run, whatever `seeds` says."""
        return isinstance(self, TrainedSettings)

    @property
    def seeded(self) -> bool:
        """Whether it has a run for each seed: it is trained, or put together from such runs."""
        return self.trained or bool(self.members_of)

    @property
    def members_of(self) -> list[str]:
        """Names of the entries whose trained runs it is put together from."""
        return []

    @property
    def scored_by(self) -> list[str]:
        """Names of the similarities that give a row each."""
        return ["cosine"]

    @property
    def scored_whole(self) -> bool:
        """Whether a part of its matrix cannot be scored without the rest."""
        return False

    @property
    def pair_seconds(self) -> float:
        """What scoring a pair of item and caption takes on one core, about: of inner products."""
        return 1e-7

    @property
    def starts_from(self) -> Start:
        """What the model is given.

        The aligned space's embeddings, the encoders' features, regions or frames of items and words
        of captions, or features of the items' sound.
        """
        return "embeddings"

    @property
    def member_family(self) -> str:
        """The family that these entries must be of."""
        return self.family

    @property
    def needs_tags(self) -> bool:
        """Whether it is trained with the concept tags of items."""
        return False

    @property
    def needs_word_vectors(self) -> bool:
        """Whether its word embedding starts from given vectors."""
        return False

    @property
    def held_mb(self) -> int:
        """Memory that the data of a training may take, in MB."""
        return 0

    @property
    def processes(self) -> int:
        """Processes that share its training."""
        return 1

    @property
    def loss_module(self) -> str:
        """The module that has the model's ``TrainingLoss``."""
        return f"polymatch.losses.{self.family}"

    @property
    def modules(self) -> list[str]:
        """Library modules that this entry loads by name; their code counts for its runs."""
        return [f"polymatch.models.{self.family}", *([self.loss_module] if self.trained else [])]

    @property
    def published_files(self) -> list[str]:
        """Files of the published code that the model is read from, instead of being trained."""
        return []

    @property
    def citations(self) -> list[str]:
        """The papers that the model and what it is trained by come from; none if they are ours."""
        return []

    @property
    def certified(self) -> bool:
        """Whether its surrogate is held against the exact probability."""
        return self.needs_surrogate

    @property
    def needs_surrogate(self) -> bool:
        """Whether a polynomial surrogate is fitted before this model is trained."""
        return self.surrogate_fit is not None

    @property
    def surrogate_fit(self) -> tuple[Any, ...] | None:
        """What decides the surrogate: entries in which it is equal share one fit. None without."""
        return None


class TrainedSettings(ModelSettings):
    """Base of the entries of families that the one loop trains."""

    training: TrainingSettings = Field(
        default_factory=TrainingSettings, description="how the head is trained"
    )

    @property
    def held_mb(self) -> int:
        return self.training.memory_mb

    @property
    def processes(self) -> int:
        return self.training.processes if self.trained else 1
