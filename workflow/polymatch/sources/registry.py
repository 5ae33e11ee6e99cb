"""Sources by name: a module of this package that has ``INFO`` and ``read`` is a source.

A new data set is a new module; nothing is listed here.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

import pandas as pd

from polymatch.errors import ConfigError
from polymatch.sources.info import SourceInfo

_PACKAGE = "polymatch.sources"


class Source(Protocol):
    """What a module must have to be a source."""

    INFO: SourceInfo

    def read(self, root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the items and the captions that lie under ``root``."""
        ...


def load(name: str) -> Source:
    """Return the source called ``name``.

    >>> load("emoji").INFO.name
    'emoji'

    Raises:
        ConfigError: there is no such source.
    """
    if name.isidentifier() and importlib.util.find_spec(f"{_PACKAGE}.{name}") is not None:
        module = importlib.import_module(f"{_PACKAGE}.{name}")
        if _is_source(module):
            return cast(Source, module)
    raise ConfigError(f"source: {name!r} is unknown (known: {', '.join(known_sources())})")


def known_sources() -> tuple[str, ...]:
    """Return the names of all sources, sorted."""
    here = [str(Path(__file__).parent)]
    names = sorted(module.name for module in pkgutil.iter_modules(here))
    return tuple(n for n in names if _is_source(importlib.import_module(f"{_PACKAGE}.{n}")))


def _is_source(module: ModuleType) -> bool:
    # only a module that holds its own record: others may import it
    info = getattr(module, "INFO", None)
    return isinstance(info, SourceInfo) and callable(getattr(module, "read", None))
