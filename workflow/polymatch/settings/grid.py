"""Templates: an entry under ``models:`` with a ``grid`` stands for one entry per combination.

>>> entries = expand_grid("poly_{degree}", {"family": "x", "grid": {"degree": [3, 4]}})
>>> sorted(entries)
['poly_3', 'poly_4']
>>> entries["poly_3"]
{'family': 'x', 'degree': 3}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from polymatch.errors import ConfigError


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
    for choice in combinations(grid):
        try:
            expanded = name.format(**{key.replace(".", "_"): v for key, v in choice.items()})
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(f"models.{name}: the name may use {{{'}, {'.join(grid)}}}") from error
        if expanded in entries:
            raise ConfigError(f"{where}: two combinations are both named {expanded!r}")
        entries[expanded] = with_settings(plain, choice)
    return entries


def combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every choice of one value for each key, the last key fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def with_settings(entry: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``entry`` with other values at dotted keys.

    >>> with_settings({"training": {"lr": 1.0, "epochs": 2}}, {"training.lr": 0.5})
    {'training': {'lr': 0.5, 'epochs': 2}}
    """
    return reduce(_with, choice.items(), dict(entry))


def setting(entry: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; KeyError where the entry has no such key."""
    return reduce(lambda section, part: section[part], key.split("."), entry)


def _with(entry: Mapping[str, Any], item: tuple[str, Any]) -> dict[str, Any]:
    key, value = item
    first, _, rest = key.partition(".")
    return {**entry, first: _with(entry.get(first, {}), (rest, value)) if rest else value}
