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
from typing import TYPE_CHECKING, Any

from polymatch.errors import ConfigError
from polymatch.provenance import LIBRARY, modules_in
from polymatch.settings.explain import suggest

if TYPE_CHECKING:
    from polymatch.settings.config import Config

_FROM_OTHERS = {"audio": ("audio", "audio_all", "fused")}


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


def needed_features(config: Config) -> dict[str, str]:
    """Names of the items' features that the models start from, each with the first such model."""
    needed: dict[str, str] = {}
    for name, entry in config.entries.items():
        start = entry.starts_from
        feature = "pooled" if start in ("embeddings", "features") else start
        needed.setdefault(feature, name)
    return needed


def check_encoder(config: Config) -> None:
    """Refuse an encoder that is not there, or that does not give what a model starts from.

    Raises:
        ConfigError: one line that names the key or the model, and what the encoder gives.
    """
    if config.encoder.given:
        return
    items, captions = (config.encoder.side(name).module for name in ("items", "captions"))
    given = offered(items)
    if not given.features:
        raise ConfigError(f"encoder.items.module: {items!r} reads captions only; name another")
    if not offered(captions).reads_captions:
        raise ConfigError(f"encoder.captions.module: {captions!r} reads items only; name another")
    one_space = given.joint_space and config.encoder.side("items") == config.encoder.side(
        "captions"
    )
    for feature, model in needed_features(config).items():
        if feature not in given.features:
            raise ConfigError(
                f"models.{model}: starts from {feature}, which encoder {items!r} does not give; it "
                f"gives {', '.join(given.features)}; take the entry out or use another encoder"
            )
        if feature in _FROM_OTHERS["audio"] and not one_space:
            raise ConfigError(
                f"models.{model}: compares {feature} with captions, which needs one encoder with "
                "one space for both sides; `encoder.items` and `encoder.captions` differ"
            )


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
