"""Configuration files as a person names them on a command line, outside of the workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from polymatch.errors import ConfigError
from polymatch.settings.config import Config, load_config


def read_config(paths: Sequence[Path]) -> Config:
    """Read, put together and check configuration files; keys of a later one win, as in Snakemake.

    Raises:
        ConfigError: a file is missing, is no YAML of keys, or is not a configuration.
    """
    together: dict[str, Any] = {}
    for path in paths:
        _add(together, _read(path))
    return load_config(together)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: no such configuration; name it with --configfile") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        raise ConfigError(f"{path}: not YAML ({first}); correct it") from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path}: holds no keys; a configuration is a mapping")
    return found


def _add(to: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(to.get(key), dict):
            _add(to[key], value)
        else:
            to[key] = dict(value) if isinstance(value, Mapping) else value
