"""Sweeps: one model tried with several values of its settings, compared in a table of their own.

Every combination is an ordinary entry, as if it stood under ``models:``, but it is not in
``summary.csv``. A combination that has the settings of an entry that is there already, under
``models:`` or in an earlier sweep, is that entry: nothing is trained twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError, WithJsonSchema

from polymatch.errors import ConfigError
from polymatch.settings.explain import annotation, fields, located, suggest, tagged
from polymatch.settings.families import families
from polymatch.settings.grid import combinations, setting, with_settings
from polymatch.settings.model import ModelSettings
from polymatch.settings.section import Section

Value = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": kind} for kind in ("number", "string", "boolean")]})
]


class SweepSettings(Section):
    """A model with several values of its settings, and what stands beside it in the table."""

    model: str = Field(description="entry of `models` that the values are put into")
    grid: dict[str, Annotated[list[Value], Field(min_length=1)]] = Field(
        min_length=1,
        description="keys of that entry (dotted: `training.lr`), each with the values to try",
    )
    beside: list[str] = Field(
        default=[], description="entries of `models` in the same table, which are never chosen"
    )
    select: Literal["val_rsum", "val_r1", "val_t2v_r1", "val_v2t_r1"] = Field(
        "val_rsum", description="figure on val, mean over seeds, that chooses a combination"
    )


class Point(NamedTuple):
    """One combination of a sweep: the entry that it is, and its value at each key of the grid."""

    name: str
    choice: dict[str, Any]
    entry: ModelSettings


def expand_sweeps(
    sweeps: Mapping[str, SweepSettings],
    models: Mapping[str, ModelSettings],
    teachers: Mapping[str, Any],
) -> dict[str, list[Point]]:
    """The combinations of each sweep, in the order of its grid, the last key fastest.

    Args:
        sweeps: the section `sweeps`.
        models: the expanded section `models`.
        teachers: the section `teachers`; only its names are looked at.

    Raises:
        ConfigError: an unknown model, key or teacher, or a value that the entry does not take.
    """
    entries = dict(models)
    expanded: dict[str, list[Point]] = {}
    for name, sweep in sweeps.items():
        where = f"sweeps.{name}"
        for other in (sweep.model, *sweep.beside):
            if other not in models:
                key = "model" if other == sweep.model else "beside"
                raise ConfigError(
                    f"{where}.{key}: unknown model {other!r}; {suggest(other, models)}"
                )
        expanded[name] = points = list(_points(where, sweep, entries))
        _check_points(where, sweep, points, teachers)
        entries |= {point.name: point.entry for point in points}
    return expanded


def _points(
    where: str, sweep: SweepSettings, entries: Mapping[str, ModelSettings]
) -> Iterator[Point]:
    base = entries[sweep.model]
    for key in sweep.grid:
        _check_key(f"{where}.grid.{key}", key, base, sweep.grid)
    for choice in combinations(sweep.grid):
        entry = _entry(f"{where}.grid", base, choice)
        settled = entry.model_dump(mode="json")
        # As the entry has them: 1, 1.0 and "1e0" are the same learning rate, and the same name.
        values = {key: setting(settled, key) for key in choice}
        parts = [f"{key}_{_short(f'{where}.grid.{key}', v)}" for key, v in values.items()]
        name = ".".join([sweep.model, *parts])
        same = next((known for known, other in entries.items() if other == entry), None)
        if same is None and name in entries:
            raise ConfigError(
                f"{where}: {name!r} would be named like another entry that has other settings; "
                "rename that one"
            )
        yield Point(same or name, values, entry)


def _check_key(where: str, key: str, base: ModelSettings, grid: Mapping[str, list[Any]]) -> None:
    """Refuse a key that no combination has: of a section of several types, any that is swept."""
    kinds: list[Any] = [type(base)]
    steps = key.split(".")
    for depth, part in enumerate(steps):
        known = dict.fromkeys(name for kind in kinds for name in fields(kind))
        if part not in known:
            raise ConfigError(f"{where}: unknown key {part!r}; {suggest(part, known)}")
        section = ".".join(steps[: depth + 1])
        kinds = [
            one
            for kind in kinds
            if part in fields(kind)
            for one in _types(annotation(kind, part), section, base, grid)
        ]


def _types(
    kind: Any, section: str, base: ModelSettings, grid: Mapping[str, list[Any]]
) -> list[Any]:
    """What a dotted key holds: its type, or those of its types that the grid or the base names."""
    several = tagged(kind)
    if not several:
        return [kind]
    chosen = grid.get(f"{section}.type") or [reduce(getattr, f"{section}.type".split("."), base)]
    # An unknown one is for the section itself to refuse.
    return [several[str(name)] for name in chosen if str(name) in several] or [*several.values()]


def changed_entry(where: str, base: ModelSettings, change: Mapping[str, Any]) -> ModelSettings:
    """The entry that ``base`` is with other values at dotted keys.

    Raises:
        ConfigError: it has no such key, or does not take the value; ``where`` says which section.
    """
    for key in change:
        _check_key(f"{where}.{key}", key, base, {name: [value] for name, value in change.items()})
    return _entry(where, base, change)


def _entry(where: str, base: ModelSettings, choice: Mapping[str, Any]) -> ModelSettings:
    raw = with_settings(_with_other_types(base, choice), choice)
    try:
        return families()[base.family].model_validate(raw)
    except ValidationError as error:
        key, why = located(error.errors()[0], type(base))
        # A value that is wrong beside another one is found by a whole section, not at a key.
        shown = ", ".join(f"{name}={value}" for name, value in choice.items())
        at = f"{where}.{key}:" if key in choice else f"{where}: {shown}"
        raise ConfigError(f"{at} {why}") from None


def _with_other_types(base: ModelSettings, choice: Mapping[str, Any]) -> dict[str, Any]:
    """The base's settings, ready for sections of other types.

    Such a section keeps what differs from the old type's default and the new type has as well.
    (What the file says does not count: a configuration survives its own JSON, which says all.)
    """
    raw = base.model_dump(mode="json")
    for key, name in choice.items():
        section, _, last = key.rpartition(".")
        if last != "type" or setting(raw, key) == name:
            continue
        old = reduce(getattr, section.split("."), base)
        assert isinstance(old, Section)  # its key `type` is known
        known = fields(tagged(reduce(annotation, section.split("."), type(base))).get(str(name)))
        defaults = {field: info.default for field, info in type(old).model_fields.items()}
        kept = {k: v for k, v in setting(raw, section).items() if k in known and v != defaults[k]}
        raw = with_settings(raw, {section: kept})
    return raw


def _check_points(
    where: str, sweep: SweepSettings, points: list[Point], teachers: Mapping[str, Any]
) -> None:
    seen: set[str] = set()
    for point in points:
        if point.name in seen:
            shown = ", ".join(f"{key}={value}" for key, value in point.choice.items())
            raise ConfigError(f"{where}.grid: {shown} is there twice; leave one out")
        seen.add(point.name)
        teacher = point.choice.get("teacher")
        if teacher is not None and teacher not in teachers:
            raise ConfigError(
                f"{where}.grid.teacher: unknown teacher {teacher!r}; {suggest(teacher, teachers)}"
            )
    for other in sweep.beside:
        if other in seen:
            raise ConfigError(f"{where}.beside: {other!r} is in the table already; leave it out")
        seen.add(other)


def _short(where: str, value: Any) -> str:
    """A value as a part of a name.

    >>> [_short("", value) for value in (5e-6, 1.0, 1e20, True, -5.0, "kl")]
    ['5e-6', '1', '1e20', 'true', '-5', 'kl']
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return re.sub(r"e\+?(-?)0*", r"e\1", format(value, ".12g"))
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", value):
        return value
    raise ConfigError(f"{where}: {value!r} makes no name; a grid takes numbers, names, true, false")
