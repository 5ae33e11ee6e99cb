"""The whole configuration: read, checked with one-line errors, expanded into runs.

Families are found by looking into this package: every subclass of ``ModelSettings`` that gives its
``family`` as a ``Literal`` is one. An entry under ``models:`` with a ``grid`` is a template that
stands for one ordinary entry per combination, named by its key:

>>> entries = expand_grid("poly_{degree}", {"family": "x", "grid": {"degree": [3, 4]}})
>>> sorted(entries)
['poly_3', 'poly_4']
>>> entries["poly_3"]
{'family': 'x', 'degree': 3}
"""

from __future__ import annotations

import difflib
import importlib
import itertools
import json
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import Field, TypeAdapter, ValidationError, create_model

from polymatch import settings as package
from polymatch.errors import ConfigError
from polymatch.settings.model import ModelSettings, TrainedSettings
from polymatch.settings.section import Section
from polymatch.settings.stages import (
    AlignmentSettings,
    BenchmarkSettings,
    DataSettings,
    DeploymentSettings,
    EncoderSettings,
    EvaluationSettings,
    TeacherSettings,
)

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


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
    teachers: dict[Annotated[str, Field(pattern=NAME)], TeacherSettings] = Field(
        default_factory=dict, description="teachers by name"
    )
    models: dict[Annotated[str, Field(pattern=NAME)], Any] = Field(
        min_length=1, description="models by name; `family` says what else an entry may hold"
    )
    baseline: str = Field("aligned", description="model that the others are tested against")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        default=[0, 1, 2], min_length=1, description="seeds of every trained model"
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="where to compute"
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

    def model_entry(self, name: str) -> ModelSettings:
        """Return the entry called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.models:
            raise ConfigError(f"unknown model {name!r}; {_suggest(name, self.models)}")
        return self.models[name]

    def teacher_entry(self, name: str) -> TeacherSettings:
        """Return the teacher called ``name``; ConfigError with the known ones if there is none."""
        if name not in self.teachers:
            raise ConfigError(f"unknown teacher {name!r}; {_suggest(name, self.teachers)}")
        return self.teachers[name]

    def runs(self) -> list[Run]:
        """Every run of this configuration, in the order of the config."""
        return [run for name in self.models for run in self.runs_of(name)]

    def runs_of(self, name: str) -> list[Run]:
        """The runs of one model: a seed each, or one run where nothing is trained."""
        seeds = self.seeds if self.model_entry(name).trained else [0]
        return [Run(name, seed) for seed in seeds]


@cache
def families() -> dict[str, type[ModelSettings]]:
    """Family name -> type of its entries, found in this package."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found: dict[str, type[ModelSettings]] = {}
    for kind in [*ModelSettings.__subclasses__(), *TrainedSettings.__subclasses__()]:
        for name in get_args(kind.model_fields["family"].annotation):
            found[name] = kind
    return dict(sorted(found.items()))


@cache
def config_type() -> type[Config]:
    """The type of a whole config, with every family that is there."""
    entry: Any = Annotated[reduce(or_, families().values()), Field(discriminator="family")]
    models: Any = dict.__class_getitem__((Annotated[str, Field(pattern=NAME)], entry))
    return create_model("Config", __base__=Config, models=(models, Config.model_fields["models"]))


def parse_model(text: str) -> ModelSettings:
    """Read one expanded entry of ``models:``, as JSON."""
    raw = json.loads(text)
    return families()[raw["family"]].model_validate(raw)


def expand_grid(name: str, entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Turn a template entry into one entry per combination of its ``grid``; keys may be dotted."""
    grid = entry.get("grid")
    plain = {key: value for key, value in entry.items() if key != "grid"}
    if grid is None:
        return {name: plain}
    where = f"models.{name}.grid"
    if not isinstance(grid, Mapping) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ConfigError(f"{where}: {grid!r} must map keys of the entry to lists of values")
    entries: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*grid.values()):
        choice = dict(zip(grid, values, strict=True))
        try:
            expanded = name.format(**{key.replace(".", "_"): v for key, v in choice.items()})
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(f"models.{name}: the name may use {{{'}, {'.join(grid)}}}") from error
        if expanded in entries:
            raise ConfigError(f"{where}: two combinations are both named {expanded!r}")
        entries[expanded] = reduce(_with, choice.items(), plain)
    return entries


def load_config(raw: Mapping[str, Any]) -> Config:
    """Check a configuration as read from YAML and return it typed, with every default filled in.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    raw = dict(raw)
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
        raise ConfigError(_one_line(error)) from None
    _check_references(config)
    return config


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config file, as ``workflow/schemas/config.schema.json`` holds it."""
    schema = TypeAdapter(config_type()).json_schema()
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


def _check_references(config: Config) -> None:
    if config.baseline not in config.models:
        raise ConfigError(
            f"baseline: unknown model {config.baseline!r}; "
            f"{_suggest(config.baseline, config.models)}"
        )
    for name, entry in config.models.items():
        teacher = getattr(entry, "teacher", None)
        if teacher is not None and teacher not in config.teachers:
            raise ConfigError(
                f"models.{name}.teacher: unknown teacher {teacher!r}; "
                f"{_suggest(teacher, config.teachers)}"
            )


def _with(entry: Mapping[str, Any], item: tuple[str, Any]) -> dict[str, Any]:
    key, value = item
    first, _, rest = key.partition(".")
    return {**entry, first: _with(entry.get(first, {}), (rest, value)) if rest else value}


def _suggest(name: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(known) or 'none is defined'}"


def _one_line(error: ValidationError) -> str:
    """Say the first error as `key: value is wrong; what is allowed`, and count the others."""
    errors = error.errors()
    # A misspelt key often leaves a required one missing: the misspelling is the cause.
    first = min(errors, key=lambda e: e["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"config: {_explain(first)}{more}"


def _explain(error: Any) -> str:
    steps = _walk(error["loc"])
    shown = ".".join(str(part) for part, _ in steps)
    if error["type"] == "extra_forbidden":
        section = steps[-2][1] if len(steps) > 1 else config_type()
        return f"{shown}: unknown key {steps[-1][0]!r}; {_suggest(steps[-1][0], _fields(section))}"
    if error["type"] == "missing":
        return f"{shown}: is missing and has no default (config/README.md describes it)"
    if error["type"] == "union_tag_invalid":
        tag = error["ctx"]["tag"]
        return f"{shown}.family: unknown family {tag!r}; {_suggest(tag, list(families()))}"
    if error["type"] == "union_tag_not_found":
        return f"{shown}.family: is missing; allowed: {', '.join(families())}"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], Mapping) else f"{error['input']!r} "
    return f"{shown}: {value}is not allowed: {message[0].lower()}{message[1:]}"


def _walk(path: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Follow an error's path to (key, type) pairs, leaving out what no file has in it.

    pydantic adds ``[key]`` for a bad key, and a model entry's family behind the entry's name.
    """
    kind: Any = config_type()
    steps: list[tuple[Any, Any]] = []
    for part in path:
        if part == "[key]":
            continue
        if len(steps) == 2 and steps[0][0] == "models" and not _fields(kind):
            kind = families()[part]
            steps[-1] = (steps[-1][0], kind)
            continue
        if part in _fields(kind):
            kind = kind.model_fields[part].annotation
        elif get_args(kind):
            kind = get_args(kind)[-1]
        steps.append((part, kind))
    return steps


def _fields(kind: Any) -> list[str]:
    is_section = isinstance(kind, type) and issubclass(kind, Section)
    return list(kind.model_fields) if is_section else []
