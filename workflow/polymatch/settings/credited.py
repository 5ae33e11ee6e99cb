"""Whose work an encoder is, read from its module's source without importing it.

As in :mod:`.offered`: a page about results is made where the module's own packages may be missing.
``licence``, ``citation`` and ``url`` of its ``INFO`` are texts, or names of texts in the same file.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from functools import cache

from polymatch.errors import ConfigError
from polymatch.provenance import LIBRARY
from polymatch.settings.explain import suggest
from polymatch.settings.offered import encoder_modules


@dataclass(frozen=True)
class Credit:
    """What a page must say of a work that it builds on.

    Attributes:
        name: of the work.
        licence: that it may be used under.
        citation: how to name it in a paper.
        url: the project's page.
    """

    name: str
    licence: str
    citation: str
    url: str


@cache
def encoder_credit(module: str) -> Credit:
    """Licence, citation and page of the encoder called ``module``.

    >>> encoder_credit("clip").citation
    'Radford et al., CLIP, ICML 2021'

    Raises:
        ConfigError: there is no such encoder, or its record is not written out.
    """
    known = encoder_modules()
    if module not in known:
        raise ConfigError(f"encoder: unknown module {module!r}; {suggest(module, known)}")
    tree = ast.parse((LIBRARY / "encoders" / f"{module}.py").read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name, value = node.targets[0].id, node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            texts[name] = value.value
        if name == "INFO" and isinstance(value, ast.Call):
            return _credit(module, value, texts)
    raise ConfigError(f"encoder: module {module!r} has no INFO = EncoderInfo(...)")


def _credit(module: str, call: ast.Call, texts: dict[str, str]) -> Credit:
    said = {
        keyword.arg: _text(module, keyword.arg, keyword.value, texts)
        for keyword in call.keywords
        if keyword.arg in ("licence", "citation", "url")
    }
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Attribute) and isinstance(first.value, ast.Name):
        # replace(imagebind.INFO, ...): another module's, but for what is named
        return replace(encoder_credit(first.value.id), name=module, **said)
    return Credit(module, **{"licence": "", "citation": "", "url": "", **said})


def _text(module: str, name: str, value: ast.expr, texts: dict[str, str]) -> str:
    if isinstance(value, ast.Name) and value.id in texts:
        return texts[value.id]
    try:
        return str(ast.literal_eval(value))
    except ValueError:
        raise ConfigError(
            f"encoder: {name} of module {module!r} is not written out as text; write it there"
        ) from None
