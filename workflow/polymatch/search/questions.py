"""Texts and files as the model is given captions and items: through the encoder, as the run's were.

An encoder is loaded when it is first needed and asked by one thread at a time, since tokenisers of
transformers keep what they were last asked for.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore
from polymatch.data.frames import Frames
from polymatch.data.items import read_item
from polymatch.data.pictures import count_frames
from polymatch.data.sound import read_sound
from polymatch.data.video_files import is_video, may_sound
from polymatch.data.vocabulary import Vocabulary
from polymatch.data.words import open_store
from polymatch.encoders import LoadOptions, TokenCounter, load_encoder
from polymatch.encoders.sounds import HEARD, SOUND_FEATURES, add_sounds
from polymatch.errors import ConfigError, DataError
from polymatch.models.cca import Alignment
from polymatch.search.run import TrainedRun
from polymatch.settings.encoder import Side

Features = NDArray[Any]


class Questions:
    """Reads what a person asks a run with.

    Args:
        truncate: whether a text that is longer than the encoder reads is cut off; else it is
            refused, for a search that leaves out words without a word would answer another one.
    """

    def __init__(self, run: TrainedRun, device: str = "auto", truncate: bool = False) -> None:
        self._run, self._device, self._truncate = run, device, truncate
        self._lock = threading.RLock()
        self._encoders: dict[Any, Any] = {}
        self._maps: Alignment | None = None
        self._words: Vocabulary | None = None

    def text(self, text: str) -> Features:
        """A caption of the model: [1, D], or its words [1, L].

        Raises:
            DataError: it is empty, or longer than the encoder reads.
            ConfigError: there is no encoder.
        """
        if not text.strip():
            raise DataError("the query is empty; say what to look for")
        if self._run.reads_words:
            words = self.vocabulary()
            if self._run.config.words.unknown == "stop" and (unknown := words.unknown(text)):
                raise DataError(
                    f"{unknown[0]!r} is not in {words.source}; ask with other words, or let "
                    "unknown ones be <unk> (`words.unknown: unk`)"
                )
            return np.array([words.encode(text)], dtype=np.int32)
        with self._lock:
            encoder = self._encoder("captions")
            name = encoder.info.name
            if not self._truncate and isinstance(encoder, TokenCounter):
                tokens, limit = encoder.count_tokens(text)
                if tokens > limit:
                    raise DataError(
                        f"the query has {tokens} tokens, and encoder {name} reads "
                        f"{limit}; shorten it, or have its end left out (--truncate)"
                    )
            features = encoder.encode_captions([text])
        return self._mapped("captions", features)

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that the run does not know and reads as one and the same unknown word."""
        return self.vocabulary().unknown(text) if self._run.reads_words else []

    def file(self, path: Path) -> Any:
        """An item of the model, made of a picture or a clip.

        Raises:
            DataError: it is neither, or has no sound where that is compared.
            ConfigError: there is no encoder.
        """
        start = self._run.starts_from
        feature = "pooled" if start in ("embeddings", "features") else start
        with self._lock:
            encoder = self._encoder("items")
            frames, wave = self._read(path, encoder, feature)
            features = encoder.encode_items([frames]) if feature not in HEARD else {}
            if feature in SOUND_FEATURES:
                features = add_sounds(features, encoder, [wave])
        rows = features[feature]
        if start == "frames":
            return Frames(rows, np.array([0, len(rows)], dtype=np.int64))
        return self._mapped("items", rows)

    def vocabulary(self) -> Vocabulary:
        """The words of the run, which has to have been trained with them."""
        with self._lock:
            if self._words is None:
                words = Vocabulary.load(self._run.vocabulary, self._run.config.words.style)
                made = open_store(self._run.caption_store).attributes.get("revision")
                if made != words.hash:
                    raise DataError(
                        f"{self._run.vocabulary}: not the vocabulary that "
                        f"{self._run.caption_store} was made with; run the stage again that writes "
                        "both (tokenise)"
                    )
                self._words = words
            return self._words

    def _read(self, path: Path, encoder: Any, feature: str) -> tuple[Any, Any]:
        frames, wave = None, None
        try:
            if feature not in HEARD:
                n = self._run.config.data.frames if is_video(path) else count_frames(path)
                frames = read_item(path, n, encoder.prepare)
            if feature in SOUND_FEATURES and may_sound(path):
                wave = read_sound(path, encoder.info.sound_rate)
        except DataError as error:
            why = str(error).rpartition("; ")[0] or str(error)
            raise DataError(f"{why}; ask with a picture or a clip that can be opened") from error
        if feature in HEARD and wave is None:
            raise DataError(f"{path}: has no sound, which run {self._run.name} compares")
        return frames, wave

    def _mapped(self, side: Side, features: Features) -> Features:
        if self._run.starts_from != "embeddings":
            return features
        with self._lock:
            if self._maps is None:
                self._maps = Alignment.load(self._run.alignment)
        maps = self._maps.items if side == "items" else self._maps.captions
        return maps(features).astype(np.float32)

    def _encoder(self, side: Side) -> Any:
        run, settings = self._run, self._run.config.encoder.side(side)
        if run.encoders_given:
            raise ConfigError(
                f"run {run.name}: its features came with the data set {run.config.data.name!r}, so "
                "there is no encoder for a query of your own; ask with --item or --caption"
            )
        place = settings.model_dump_json()
        if place not in self._encoders:
            options = LoadOptions(
                settings.model,
                settings.revision,
                run.config.encoder.precision,
                run.config.download,
                Path(run.config.data_root or "resources"),
            )
            self._encoders[place] = load_encoder(settings.module, self._device, options)
        encoder = self._encoders[place]
        self._check(encoder.info, side)
        return encoder

    def _check(self, info: Any, side: Side) -> None:
        """Refuse an encoder that is not the one that the run's features are from."""
        run = self._run
        if side == "captions":
            store = FeatureStore(run.space / "features/captions.h5")
        else:
            aligned = run.starts_from == "embeddings"
            store = FeatureStore(run.space / "features/pooled.h5" if aligned else run.item_store)
        asked = {"encoder": info.name, "revision": info.revision}
        for name, ours in asked.items():
            if store.attributes.get(name) != ours:
                raise DataError(
                    f"{store.path}: its {name} is {store.attributes.get(name)!r}, but the encoder "
                    f"here is {ours!r}; give the encoder of the run's own configuration"
                )
