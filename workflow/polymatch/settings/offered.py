"""What an encoder's module says of itself, read from its source without importing it.

Snakemake asks before any job which features there will be, and whose environment has what the
module imports. Importing the module would need that environment, and torch. So ``INFO`` is a call
of ``EncoderInfo`` with the names of the features, ``joint_space`` and ``environment`` written out,
or ``replace(other.INFO, ...)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from polymatch.errors import ConfigError
from polymatch.provenance import LIBRARY, modules_in
from polymatch.settings.explain import suggest

SOUNDS = ("audio", "audio_all", "fused")
_FROM_OTHERS = {"audio": SOUNDS}


@dataclass(frozen=True)
class Offered:
    """What a module gives.

    Attributes:
        features: names of the items' features that can be stored; empty if it reads no items.
        reads_captions: whether it reads captions.
        joint_space: whether items and captions lie in one space.
        environment: the file in ``envs``, without its suffix.
    """

    features: tuple[str, ...]
    reads_captions: bool
    joint_space: bool
    environment: str


def encoder_modules() -> list[str]:
    """Names of the encoders there are: the modules that have an ``INFO``."""
    return [name for name in modules_in("encoders") if re.search(r"^INFO\b", _source(name), re.M)]


@cache
def offered(module: str) -> Offered:
    """What the encoder's module ``module`` gives.

    >>> offered("efficientnet_minilm").features
    ('frames', 'pooled', 'regions')

    Raises:
        ConfigError: there is no such module.
    """
    known = encoder_modules()
    if module not in known:
        raise ConfigError(f"encoder: unknown module {module!r}; {suggest(module, known)}")
    for node in ast.parse(_source(module)).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "INFO" for target in targets):
                return _said(node.value)
    raise ConfigError(f"encoder: module {module!r} has no INFO = EncoderInfo(...)")


def _source(module: str) -> str:
    return (LIBRARY / "encoders" / f"{module}.py").read_text(encoding="utf-8")


def _said(call: ast.Call) -> Offered:
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Attribute) and isinstance(first.value, ast.Name):
        # replace(imagebind.INFO, ...): another module's, but for what is named
        return replace(offered(first.value.id), **_named(said))
    return Offered(**{"reads_captions": True, "environment": "encoder", **_named(said)})


def _named(said: Mapping[str | None, ast.expr]) -> dict[str, Any]:
    named: dict[str, Any] = {
        name: ast.literal_eval(said[name])
        for name in ("reads_captions", "joint_space", "environment")
        if name in said
    }
    given = said.get("item_features")
    if isinstance(given, ast.Dict):
        names = [str(ast.literal_eval(key)) for key in given.keys if key]
        named["features"] = tuple(
            feature for name in names for feature in _FROM_OTHERS.get(name, (name,))
        )
    return named
