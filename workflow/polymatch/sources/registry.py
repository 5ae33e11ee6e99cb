"""Sources by name: a module of this package that has ``INFO`` and ``read`` is a source.

A source that also has ``write_features`` brings its features with it: nothing is extracted, and its
items need no pictures. A new data set is a new module; nothing is listed here.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

import pandas as pd

from polymatch.data.remote import RemoteFile
from polymatch.errors import ConfigError
from polymatch.settings.stages import DataSettings
from polymatch.sources.info import SourceInfo

_PACKAGE = "polymatch.sources"


class Source(Protocol):
    """What a module must have to be a source.

    One whose files can be fetched also has ``remote_files(data) -> list[RemoteFile]``, all that it
    reads; one with several protocols has ``protocol(data) -> str``, the name of the configured one;
    one that can tell from its folder alone that there is nothing to read has ``check(data)``, which
    raises then.
    """

    INFO: SourceInfo

    def read(self, data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return items and captions; a column ``problem`` says what is wrong with a row."""
        ...


class FeatureSource(Protocol):
    """What a module must have to be a source that brings its features with it.

    ``FEATURES`` names the stores that models start from. A source that writes further files for the
    published code names them with a function ``published_stores(data)``.
    """

    INFO: SourceInfo
    FEATURES: tuple[str, ...]

    def input_files(self, data: DataSettings) -> list[Path]:
        """Every file that is read; DataError if one that is needed is missing."""
        ...

    def read(self, data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return items and captions; a column ``problem`` says what is wrong with a row."""
        ...

    def write_features(
        self,
        data: DataSettings,
        manifest: pd.DataFrame,
        captions: pd.DataFrame,
        stores: Mapping[str, Path],
        attributes: Mapping[str, str | int | float],
    ) -> pd.DataFrame | None:
        """Write a store for each name in ``stores``, of the rows that the tables hold.

        A source without ``captions`` among its ``FEATURES`` does not look at that table. Returns a
        table of the items that it left out, if it may leave out any.
        """
        ...


STARTS_FROM = {
    "embeddings": ("pooled", "captions"),
    "features": ("pooled", "captions"),
    "regions": ("regions",),
    "frames": ("frames",),
}
"""The features that a model needs, by what it starts from."""


def read_source(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions of the configured data set, as its source gives them."""
    return load(data.source).read(data)


def remote_files(data: DataSettings) -> list[RemoteFile]:
    """Every file of the configured data set that can be fetched; none if it has no such files."""
    listed: Callable[[DataSettings], list[RemoteFile]] = getattr(
        load(data.source), "remote_files", lambda data: []
    )
    return listed(data)


def protocol_of(data: DataSettings) -> str:
    """Which split and captions a figure stands for, in words; it stands in every row.

    >>> protocol_of(DataSettings())
    'own split, all captions'
    """
    named: Callable[[DataSettings], str] = getattr(
        load(data.source), "protocol", lambda data: "own split, all captions"
    )
    return named(data)


def check_source(data: DataSettings) -> None:
    """Refuse files that the configured source cannot read, where it can tell so at once.

    Raises:
        DataError: names the folder and what was looked for.
    """
    check: Callable[[DataSettings], None] = getattr(load(data.source), "check", lambda data: None)
    check(data)


def brings_features(name: str) -> bool:
    """Whether the source called ``name`` has features, so that nothing needs to be extracted."""
    return callable(getattr(load(name), "write_features", None))


def given_source(name: str) -> FeatureSource:
    """Return the source called ``name``, which brings its features.

    Raises:
        ConfigError: there is no such source, or it has only pictures.
    """
    source = load(name)
    if not brings_features(name):
        able = ", ".join(filter(brings_features, known_sources()))
        raise ConfigError(
            f"encoder.given: source {name!r} has pictures but no features "
            f"(sources that do: {able}); set it to false"
        )
    return cast(FeatureSource, source)


def given_stores(data: DataSettings) -> list[str]:
    """Names of all stores that the configured source writes, without their suffix."""
    source = given_source(data.source)
    published: Callable[[DataSettings], list[str]] = getattr(
        source, "published_stores", lambda data: []
    )
    return [*source.FEATURES, *published(data)]


def check_starts(source: str, models: Mapping[str, str]) -> None:
    """Refuse models that start from what a source of features does not bring.

    Args:
        source: name of the source.
        models: what each model starts from, by its name; a key of :data:`STARTS_FROM`.

    Raises:
        ConfigError: names the first such model, what it needs and what the source brings.
    """
    brought = given_source(source).FEATURES
    for model, start in models.items():
        needed = STARTS_FROM[start]
        if not set(needed) <= set(brought):
            raise ConfigError(
                f"models.{model}: starts from {start}, which needs {' and '.join(needed)}, but "
                f"source {source!r} brings {' and '.join(brought)}; take the entry out or use "
                "another source"
            )


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
