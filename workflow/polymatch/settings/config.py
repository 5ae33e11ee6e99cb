"""The whole configuration: read, checked with one-line errors, expanded into runs.

An entry under ``models:`` with a ``grid`` is a template for several (:mod:`.grid`); an entry under
``sweeps:`` asks for more of one model (:mod:`.sweeps`). Either way each is an ordinary entry in the
end, and its runs are ordinary targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property, reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError, create_model

from polymatch.errors import ConfigError
from polymatch.settings.cluster import ClusterSettings
from polymatch.settings.encoder import EncoderSettings
from polymatch.settings.explain import one_line, suggest
from polymatch.settings.external import ExternalSettings
from polymatch.settings.families import families
from polymatch.settings.grid import expand_grid
from polymatch.settings.model import ModelSettings
from polymatch.settings.pictures import PicturesSettings
from polymatch.settings.references import check_references
from polymatch.settings.report import ReportSettings
from polymatch.settings.scoring import ScoringSettings
from polymatch.settings.section import NAME, BoundedSchema, Section, Switch, Whole
from polymatch.settings.stages import (
    AlignmentSettings,
    BenchmarkSettings,
    DataSettings,
    DeploymentSettings,
    EvaluationSettings,
    TeacherComparisonSettings,
    TeacherSettings,
)
from polymatch.settings.sweeps import Point, SweepSettings, expand_sweeps
from polymatch.settings.tables import TableRow, TableSettings, expand_tables
from polymatch.settings.tags import TagsSettings
from polymatch.settings.words import WordsSettings


class Run(NamedTuple):
    """A model, on the configured data set, with a seed."""

    model: str
    seed: int


class Config(Section):
    """Everything that decides what is computed. Models are added by :func:`config_type`."""

    data: DataSettings = Field(default_factory=DataSettings, description="clips and captions")
    encoder: EncoderSettings = Field(
        default_factory=EncoderSettings, description="frozen encoder of both sides"
    )
    alignment: AlignmentSettings = Field(
        default_factory=AlignmentSettings, description="shared space"
    )
    words: WordsSettings = Field(
        default_factory=WordsSettings,
        description="words of the captions, for models that read word by word",
    )
    tags: TagsSettings = Field(
        default_factory=TagsSettings,
        description="concept tags of the items, for models with a concept space",
    )
    teachers: dict[Annotated[str, Field(pattern=NAME)], TeacherSettings] = Field(
        default_factory=dict, description="teachers by name"
    )
    teacher_comparison: TeacherComparisonSettings = Field(
        default_factory=TeacherComparisonSettings, description="the table `results/teachers.csv`"
    )
    models: dict[Annotated[str, Field(pattern=NAME)], Any] = Field(
        min_length=1, description="models by name; `family` says what else an entry may hold"
    )
    baseline: str = Field("aligned", description="model that the others are tested against")
    seeds: list[Annotated[Whole, Field(ge=0)]] = Field(
        default=[0, 1, 2], min_length=1, description="seeds of every trained model"
    )
    download: Switch = Field(
        False,
        description="fetch files of the data set and weights of the encoder that are not there; "
        "without it nothing is fetched, and what is missing is listed",
    )
    data_root: str | None = Field(
        None,
        min_length=1,
        description="folder that stands for `resources` in this file's paths: a disk with room",
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="where to compute"
    )
    cluster: ClusterSettings = Field(
        default_factory=ClusterSettings, description="what jobs ask a cluster for"
    )
    scoring: ScoringSettings = Field(
        default_factory=ScoringSettings, description="jobs that scoring is divided into"
    )
    evaluation: EvaluationSettings = Field(
        default_factory=EvaluationSettings, description="figures, intervals and tests"
    )
    benchmark: BenchmarkSettings = Field(
        default_factory=BenchmarkSettings, description="latency and memory"
    )
    deployment: DeploymentSettings = Field(
        default_factory=DeploymentSettings, description="analog simulation"
    )
    pictures: PicturesSettings = Field(
        default_factory=PicturesSettings, description="pictures of single runs"
    )
    report: ReportSettings = Field(ReportSettings(), description="the page `results/report.html`")
    sweeps: dict[Annotated[str, Field(pattern=NAME)], SweepSettings] = Field(
        default_factory=dict,
        description="sweeps by name; each is a target, `results/sweeps/NAME.csv`, when asked for",
    )
    tables: dict[Annotated[str, Field(pattern=NAME)], TableSettings] = Field(
        default_factory=dict,
        description="tables of sizes and figures by name, as publications have them; each is a "
        "target, `results/tables/NAME.csv`, when asked for",
    )
    external: dict[Annotated[str, Field(pattern=NAME)], ExternalSettings] = Field(
        default_factory=dict,
        description="similarity matrices made elsewhere, by name; each is scored into "
        "`results/external/NAME.csv`",
    )

    @cached_property
    def points(self) -> dict[str, list[Point]]:
        """Sweep -> its combinations."""
        return expand_sweeps(self.sweeps, self.models, self.teachers)

    @cached_property
    def rows(self) -> dict[str, list[TableRow]]:
        """Table -> its rows."""
        return expand_tables(self.tables, self.models, self._swept)

    @cached_property
    def entries(self) -> dict[str, ModelSettings]:
        """Every entry by name: those of `models`, then those that only a sweep or a table has."""
        return {
            **self._swept,
            **{row.name: row.entry for rows in self.rows.values() for row in rows},
        }

    @property
    def _swept(self) -> dict[str, ModelSettings]:
        swept = {point.name: point.entry for points in self.points.values() for point in points}
        return {**self.models, **swept}

    def model_entry(self, name: str) -> ModelSettings:
        """Return the entry called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.entries:
            raise ConfigError(f"unknown model {name!r}; {suggest(name, self.entries)}")
        return self.entries[name]

    def sweep_entry(self, name: str) -> SweepSettings:
        """Return the sweep called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.sweeps:
            raise ConfigError(f"unknown sweep {name!r}; {suggest(name, self.sweeps)}")
        return self.sweeps[name]

    def table_rows(self, name: str) -> list[TableRow]:
        """The rows of the table ``name``; ConfigError with the known ones if there is none."""
        if name not in self.tables:
            raise ConfigError(f"unknown table {name!r}; {suggest(name, self.tables)}")
        return self.rows[name]

    def external_entry(self, name: str) -> ExternalSettings:
        """Return the matrix called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.external:
            raise ConfigError(f"unknown external matrix {name!r}; {suggest(name, self.external)}")
        return self.external[name]

    def sweep_models(self, name: str) -> list[str]:
        """The entries in a sweep's table: its combinations, then those beside them."""
        sweep = self.sweep_entry(name)
        return [*(point.name for point in self.points[name]), *sweep.beside]

    def surrogate_model(self, name: str) -> str:
        """The first entry whose surrogate is the same polynomial as this one's; fitted once."""
        fit = self.model_entry(name).surrogate_fit
        return next(other for other, entry in self.entries.items() if entry.surrogate_fit == fit)

    def teacher_entry(self, name: str) -> TeacherSettings:
        """Return the teacher called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.teachers:
            raise ConfigError(f"unknown teacher {name!r}; {suggest(name, self.teachers)}")
        return self.teachers[name]

    def surrogate_teacher(self, model: str) -> str | None:
        """The teacher that a model's surrogate learns from; None where it needs no surrogate."""
        entry = self.model_entry(model)
        return getattr(entry, "teacher", None) if entry.needs_surrogate else None

    def teacher_run(self, name: str) -> Run | None:
        """The trained run that a teacher takes its Gaussians from (source `pcme`), if any."""
        teacher = self.teacher_entry(name)
        if teacher.model is None:
            return None
        return Run(teacher.model, self.seeds[0] if teacher.run_seed is None else teacher.run_seed)

    def comparison_run(self) -> Run | None:
        """The run that is the source `pcme` in the table of teachers; None if there is none."""
        sampled = (name for name in self.models if self.gives_gaussians(name))
        model = self.teacher_comparison.model or next(sampled, None)
        return None if model is None else self.runs_of(model)[0]

    def simulated(self, model: str) -> bool:
        """Whether a model is exported and simulated for the tables."""
        if self.deployment.models is None:
            return self.model_entry(model).starts_from in ("embeddings", "features")
        return model in self.deployment.models

    def divided(self, model: str) -> bool:
        """Whether the scoring of a model is several jobs."""
        return self.scoring.divides(model) and not self.model_entry(model).scored_whole

    def pictured(self) -> list[tuple[Run, str]]:
        """The runs that the main job draws, each with the similarity that it is drawn by."""
        models = self.models if self.pictures.models is None else self.pictures.models
        return [(self.runs_of(name)[0], self.models[name].scored_by[0]) for name in models]

    def gives_gaussians(self, model: str) -> bool:
        """Whether a model's trained Gaussians can be a teacher: it is trained by sampling."""
        return getattr(self.model_entry(model), "loss", None) == "sampled"

    def runs(self) -> list[Run]:
        """Every run of this configuration, in the order of the config."""
        return [run for name in self.models for run in self.runs_of(name)]

    def runs_of(self, name: str) -> list[Run]:
        """The runs of one model: a seed each, or one run where nothing is trained."""
        seeds = self.seeds if self.model_entry(name).seeded else [0]
        return [Run(name, seed) for seed in seeds]


@cache
def config_type() -> type[Config]:
    """The type of a whole config, with every family that is there."""
    entry: Any = Annotated[reduce(or_, families().values()), Field(discriminator="family")]
    models: Any = dict.__class_getitem__((Annotated[str, Field(pattern=NAME)], entry))
    return create_model("Config", __base__=Config, models=(models, Config.model_fields["models"]))


def load_config(raw: Mapping[str, Any]) -> Config:
    """Check a configuration as read from YAML and return it typed, with every default filled in.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    root = raw.get("data_root")
    raw = dict(_moved(raw, root) if isinstance(root, str) else raw)
    models = raw.get("models")
    if isinstance(models, Mapping):
        expanded: dict[str, Any] = {}
        for name, entry in models.items():
            entries = expand_grid(name, entry) if isinstance(entry, Mapping) else {name: entry}
            if twice := set(entries) & set(expanded):
                raise ConfigError(f"models: {sorted(twice)[0]!r} is defined twice")
            expanded |= entries
        raw["models"] = expanded
    try:
        config = config_type().model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"config: {one_line(error, config_type())}") from None
    check_references(config)
    return config


def _moved(value: Any, root: str) -> Any:
    """The same with every path below `resources` below ``root`` instead."""
    if isinstance(value, Mapping):
        return {key: _moved(part, root) for key, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, root) for part in value]
    if isinstance(value, str) and value.startswith("resources/"):
        return f"{root.rstrip('/') or '/'}/{value.removeprefix('resources/')}"
    return value


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config file, as ``workflow/schemas/config.schema.json`` holds it."""
    schema = TypeAdapter(config_type()).json_schema(schema_generator=BoundedSchema)
    for kind in families().values():
        schema["$defs"][kind.__name__]["properties"]["grid"] = {
            "type": "object",
            "description": "keys of this entry, each with the values to try: one entry for each "
            "combination, named by this entry's own name with {key} filled in",
            "additionalProperties": {"type": "array", "minItems": 1},
        }
    schema["properties"]["models"] = _named_by_template(schema["properties"]["models"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _named_by_template(models: dict[str, Any]) -> dict[str, Any]:
    # A template's name has braces that an expanded one has not.
    (entry,) = models.pop("patternProperties").values()
    return {**models, "additionalProperties": entry}
