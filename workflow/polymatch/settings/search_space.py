"""The combinations of a study's search space, each an ordinary model entry.

Keys are gone through in the order of the file, so that a key's ``when`` can look at those above.
A file is checked by trying its values: each must be possible together with some of the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from polymatch.errors import ConfigError
from polymatch.settings.explain import one_line, suggest
from polymatch.settings.families import families
from polymatch.settings.grid import setting, with_settings
from polymatch.settings.model import ModelSettings, TrainedSettings
from polymatch.settings.section import BoundedSchema
from polymatch.settings.tuning import Choice, DimensionSettings, TuningSettings

OF_THE_STUDY = ("training.epochs", "training.patience", "training.select")
"""Keys that a study sets for its trials."""

TRIES = 64


def load_tuning(path: Path) -> TuningSettings:
    """Read and check a study's file; ``config/tuning/NAME.yaml`` is study NAME.

    Raises:
        ConfigError: one line that names the file, the key, the value and what is allowed.
    """
    if not path.is_file():
        known = sorted(other.stem for other in path.parent.glob("*.yaml"))
        raise ConfigError(
            f"unknown study {path.stem!r} (there is no {path}); {suggest(path.stem, known)}"
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        shown = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML: {shown}") from None
    try:
        return parse_tuning(raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_tuning(raw: Any) -> TuningSettings:
    """Check a study as read from YAML and return it typed, with every default filled in."""
    if not isinstance(raw, Mapping):
        raise ConfigError(f"a study is a mapping of keys to values, not {raw!r}")
    try:
        settings = TuningSettings.model_validate(raw)
    except ValidationError as error:
        # A rule between several keys of the whole study has no place of its own.
        line = one_line(error, TuningSettings)
        raise ConfigError(line.removeprefix(": is not allowed: ")) from None
    _check_base(settings)
    for key, dimension in settings.space.items():
        _check_key(key)
        _check_conditions(settings, key, dimension)
    _check_values(settings)
    return settings


def tuning_schema() -> dict[str, Any]:
    """The JSON schema of a study's file, as ``workflow/schemas/tuning.schema.json`` holds it."""
    schema = TypeAdapter(TuningSettings).json_schema(schema_generator=BoundedSchema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def walk(
    settings: TuningSettings, pick: Callable[[str, DimensionSettings], Choice]
) -> dict[str, Choice]:
    """Pick a value for each key whose ``when`` holds, in the order of the file."""
    choice: dict[str, Choice] = {}
    for key, dimension in settings.space.items():
        if all(
            _value(settings, choice, other) in allowed for other, allowed in dimension.when.items()
        ):
            choice[key] = pick(key, dimension)
    return choice


def trial_entry(settings: TuningSettings, choice: Mapping[str, Choice]) -> ModelSettings:
    """The entry of a trial: base and choice, with the study's own epochs, patience and select.

    Raises:
        ConfigError: the combination is impossible; the message says why.
    """
    own = (settings.epochs, settings.patience, settings.select)
    return _entry(settings, {**choice, **dict(zip(OF_THE_STUDY, own, strict=True))})


def final_entry(settings: TuningSettings, choice: Mapping[str, Choice]) -> ModelSettings:
    """The entry that a choice stands for outside of the study: trained as ``base`` says."""
    return _entry(settings, choice)


def entries_covering(settings: TuningSettings) -> Iterator[ModelSettings]:
    """Entries that together have every choice, and both ends of every range.

    Raises:
        ConfigError: a value is impossible whatever the others are (as far as was tried).
    """
    draw = random.Random(0)
    for key, dimension in settings.space.items():
        for value in dimension.ends:
            yield _entry_with(settings, key, value, draw)


def _entry_with(
    settings: TuningSettings, key: str, value: Choice, draw: random.Random
) -> ModelSettings:
    why: ConfigError | None = None
    for _ in range(TRIES):
        fixed = {key: value}
        _force(settings, key, fixed, draw)
        choice = walk(
            settings,
            lambda other, dimension, fixed=fixed: (  # type: ignore[misc]
                fixed[other] if other in fixed else draw.choice(dimension.ends)
            ),
        )
        try:
            final_entry(settings, choice)
            entry = trial_entry(settings, choice)
        except ConfigError as error:
            # Of several reasons the one that names this key.
            why = error if why is None or f"space.{key}:" in str(error) else why
        else:
            return _trainable(entry)
    if str(why).startswith((f"space.{key}:", "base.")):
        raise ConfigError(str(why))
    raise ConfigError(f"{why}; {key}={value} is possible with none of {TRIES} choices of the rest")


def _trainable(entry: ModelSettings) -> ModelSettings:
    if entry.needs_surrogate:
        raise ConfigError("base: a model that needs a surrogate cannot be tuned; take a sweep")
    if not entry.trained:
        raise ConfigError("base: a published checkpoint is not trained; leave it out")
    return entry


def _force(
    settings: TuningSettings, key: str, fixed: dict[str, Choice], draw: random.Random
) -> None:
    """Add what the keys in ``when`` must be for ``key`` to be searched at all."""
    for other, allowed in settings.space[key].when.items():
        if other in settings.space:
            fixed[other] = draw.choice(allowed)
            _force(settings, other, fixed, draw)


def _value(settings: TuningSettings, choice: Mapping[str, Choice], key: str) -> Any:
    if key in choice:
        return choice[key]
    try:
        return setting(settings.base, key)
    except (KeyError, TypeError):
        return None


def _entry(settings: TuningSettings, choice: Mapping[str, Choice]) -> ModelSettings:
    family = families()[settings.base["family"]]
    try:
        return family.model_validate(with_settings(settings.base, choice))
    except ValidationError as error:
        line = one_line(error, family)
        if isinstance(error.errors()[0]["input"], Mapping) and ": is not allowed: " in line:
            # A rule between several keys: no one of them is wrong by itself.
            shown = ", ".join(f"{key}={value}" for key, value in choice.items())
            raise ConfigError(f"{line.removeprefix(': is not allowed: ')} ({shown})") from None
        where = line.partition(":")[0]
        raise ConfigError(f"{'space' if where in choice else 'base'}.{line}") from None


def _check_values(settings: TuningSettings) -> None:
    draw = random.Random(0)
    errors = []
    for key, dimension in settings.space.items():
        for value in dimension.ends:
            try:
                _entry_with(settings, key, value, draw)
            except ConfigError as error:
                errors.append((f"space.{key}:" not in str(error), error))
    # A key that is wrong by itself makes all others impossible: it is the one to name.
    if errors:
        raise min(errors, key=lambda found: found[0])[1]


def _check_base(settings: TuningSettings) -> None:
    trained = [name for name, kind in families().items() if issubclass(kind, TrainedSettings)]
    family = settings.base.get("family")
    if family not in trained:
        what = "is missing" if family is None else f"{family!r} is not one that is trained"
        raise ConfigError(f"base.family: {what}; {suggest(family, trained)}")
    if "of" in families()[family].model_fields:
        raise ConfigError(
            f"base.family: {family!r} is made from another entry's runs, and a study has none; "
            "search that entry's settings"
        )


def _check_key(key: str) -> None:
    if key == "family":
        raise ConfigError("space.family: one study is of one family; set it in `base`")
    if key in OF_THE_STUDY:
        own = key.partition(".")[2]
        raise ConfigError(f"space.{key}: all trials have the study's own `{own}`; leave it out")


def _check_conditions(settings: TuningSettings, key: str, dimension: DimensionSettings) -> None:
    above = list(settings.space)[: list(settings.space).index(key)]
    for other, values in dimension.when.items():
        where = f"space.{key}.when.{other}"
        if other not in above:
            if other in settings.space or _value(settings, {}, other) is None:
                raise ConfigError(
                    f"{where}: neither a key of `space` above this one nor set in `base`; "
                    f"{suggest(other, above)}"
                )
            continue
        choices = settings.space[other].choices
        if choices is None:
            raise ConfigError(f"{where}: {other} has no `choices` to depend on")
        for value in values:
            if value not in choices:
                raise ConfigError(
                    f"{where}: {value!r} is not a choice of {other}; "
                    f"{suggest(value, map(str, choices))}"
                )
