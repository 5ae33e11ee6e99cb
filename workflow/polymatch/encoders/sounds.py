"""Features of items' sound: of those that have some, of all, and together with what is seen.

Source: the published evaluation scores texts against sound over all clips, those without sound as
zeros (``audio_all`` here), and against the normalised sum of what is seen and heard (``fused``).
There a clip without sound takes part in the first as a vector of zeros without a word; here the
store's attribute ``silent`` counts them, and ``audio`` leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from polymatch.data.sound import Wave
from polymatch.encoders.base import Encoder, Features, FeatureShape, SoundEncoder
from polymatch.errors import ConfigError

HEARD = frozenset({"audio", "audio_all"})
"""Features for which no picture is read."""

SOUND_FEATURES = HEARD | {"fused"}


def derived_shapes(encoder: Encoder) -> dict[str, FeatureShape]:
    """What is made of an encoder's ``audio``, and with ``pooled`` if both lie in one space.

    Raises:
        ConfigError: it says that it takes sound, and has no call or no rate for it.
    """
    features = encoder.info.item_features
    if "audio" not in features:
        return {}
    if not isinstance(encoder, SoundEncoder) or not encoder.info.sound_rate:
        raise ConfigError(
            f"encoder {encoder.info.name}: gives `audio`, but has no `encode_sounds` or no "
            "`sound_rate`; add both to its module"
        )
    shape = features["audio"].shape
    derived = {"audio_all": FeatureShape(shape, False, "`audio`; zeros for items without sound")}
    if "pooled" in features and features["pooled"].shape == shape:
        derived["fused"] = FeatureShape(
            shape, False, "normalised sum of `pooled` and `audio`, each normalised"
        )
    return derived


def add_sounds(
    features: Mapping[str, Features], encoder: Encoder, waves: Sequence[Wave | None]
) -> dict[str, Features]:
    """The features [n, ...] of ``n`` items and those of their sound; ``audio`` may have fewer rows.

    A batch without sound asks nothing of the encoder.
    """
    heard = [row for row, wave in enumerate(waves) if wave is not None]
    shape = encoder.info.item_features["audio"].shape
    audio: Features = np.zeros((0, *shape), dtype=np.float32)
    if heard:
        assert isinstance(encoder, SoundEncoder)
        audio = encoder.encode_sounds([wave for wave in waves if wave is not None])
    everywhere = np.zeros((len(waves), *shape), dtype=np.float32)
    everywhere[heard] = audio
    added = {**features, "audio": audio, "audio_all": everywhere}
    if "pooled" in features and features["pooled"].shape == everywhere.shape:
        added["fused"] = _normalised(_normalised(features["pooled"]) + _normalised(everywhere))
    return added


def _normalised(vectors: Features) -> Features:
    # zeros stay zeros, as in torch.nn.functional.normalize
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
