"""What models start from, and whether the encoder gives it; said before any job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymatch.errors import ConfigError
from polymatch.settings.offered import SOUNDS, offered

if TYPE_CHECKING:
    from polymatch.settings.config import Config


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
        if feature in SOUNDS and not one_space:
            raise ConfigError(
                f"models.{model}: compares {feature} with captions, which needs one encoder with "
                "one space for both sides; `encoder.items` and `encoder.captions` differ"
            )
