"""Sections that come in several types, told apart by their key `type`; a type is a file of its own.

A package holds one module for each type. They are found by looking into it, as families are, so
that a new type is a new file there and its settings need no edit elsewhere.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar, get_args

from polymatch.settings.section import Section

S = TypeVar("S", bound=Section)


def variants(package: ModuleType, base: type[S]) -> dict[str, type[S]]:
    """Type -> the subclass of ``base`` that gives it as the ``Literal`` of its field ``type``."""
    found: dict[str, type[S]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        names = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for kind in names.values():
            if isinstance(kind, type) and issubclass(kind, base):
                found |= dict.fromkeys(get_args(kind.model_fields["type"].annotation), kind)
    return dict(sorted(found.items()))
