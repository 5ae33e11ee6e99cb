"""The families of models: what an entry under `models:` may be.

Families are found by looking into this package: every subclass of ``ModelSettings`` that gives its
``family`` as a ``Literal`` is one. This is apart from the whole configuration, so that a change of
how that is read does not train a model again.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from functools import cache
from typing import get_args

from polymatch import settings as package
from polymatch.settings.model import ModelSettings


@cache
def families() -> dict[str, type[ModelSettings]]:
    """Family name -> type of its entries, found in this package."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found: dict[str, type[ModelSettings]] = {}
    for kind in _below(ModelSettings):
        for name in get_args(kind.model_fields["family"].annotation):
            found[name] = kind
    return dict(sorted(found.items()))


def _below(kind: type[ModelSettings]) -> list[type[ModelSettings]]:
    """All classes that are derived from one, however far."""
    return [deeper for own in kind.__subclasses__() for deeper in [own, *_below(own)]]


def parse_model(text: str) -> ModelSettings:
    """Read one expanded entry of ``models:``, as JSON."""
    raw = json.loads(text)
    return families()[raw["family"]].model_validate(raw)
