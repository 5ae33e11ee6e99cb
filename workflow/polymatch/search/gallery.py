"""What is searched: the items of a split, or of a store of features made elsewhere, and captions.

Captions are candidates, too, where a picture asks; one text is one candidate however many captions
say it, as in the tables. A store made elsewhere has no captions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.data.captions import Queries, merge_queries, normal_text, select_kinds
from polymatch.data.features import FeatureStore
from polymatch.data.manifest import SPLITS
from polymatch.data.splits import SplitReader
from polymatch.data.words import WordStore, open_store
from polymatch.errors import ConfigError, DataError
from polymatch.models.cca import Alignment
from polymatch.search.run import TrainedRun
from polymatch.settings.explain import suggest

ALL = "all"
_NUMBERS = 1 << 24
_MOST = 8192
_NONE = Queries([], [], [])
# Attributes by which an encoder is known.
_ENCODER = ("encoder", "revision", "preprocessing")


@dataclass(frozen=True)
class Gallery:
    """Candidates of a search.

    Attributes:
        name: of its folder beside the run. source: the store of the items' features.
        item_ids: [N]. rows: [N], of the items in the store.
        queries: distinct texts about the items; None where there are none.
        captions: the captions behind them: caption_id, item_id, text.
        maps: from the store's features to the space of embeddings, where it holds the encoder's.
    """

    name: str
    source: FeatureStore
    item_ids: list[str]
    rows: NDArray[np.int64]
    queries: Queries | None = None
    captions: pd.DataFrame | None = None
    maps: Alignment | None = None

    @classmethod
    def open(cls, run: TrainedRun, name: str) -> Gallery:
        """The gallery ``test``, ``val``, ``train`` or ``all`` of the run, or the store at ``name``.

        Raises:
            ConfigError: it is neither.
            DataError: the store is of another encoder, or does not have what it should.
        """
        if Path(name).suffix in (".h5", ".hdf5"):
            return _stored(run, Path(name))
        if name not in (*SPLITS, ALL):
            raise ConfigError(
                f"gallery {name!r} is no split and no store of features (PATH.h5); "
                f"{suggest(name, [*SPLITS, ALL])}"
            )
        reader = _reader(run)
        kinds = {"train": run.config.data.train_captions}
        there = [split for split in SPLITS if (reader.manifest["split"] == split).any()]
        items: list[str] = []
        asked: list[str] = []
        for split in there if name == ALL else [name]:
            own = kinds.get(split, run.config.data.test_captions)
            items += reader.gallery(split, own)[0]
            asked += [kind for kind in own if kind not in asked]
        captions = select_kinds(reader.captions, asked)
        captions = captions[captions["item_id"].isin(items)].reset_index(drop=True)
        store = open_store(run.item_store)
        store.check_dataset(run.config.data.name)
        return cls(name, store, items, store.index(items), merge_queries(captions), captions)

    def __len__(self) -> int:
        return len(self.item_ids)

    def features(self, rows: slice = slice(None)) -> Any:
        """What the model is given of these items."""
        features = self.source.take(self.rows[rows])
        return features if self.maps is None else self.maps.items(features).astype(np.float32)

    def blocks(self) -> Iterator[Any]:
        """The same of all items, in blocks of a bounded size."""
        for start in range(0, len(self), step := self._step()):
            yield self.features(slice(start, start + step))

    def right_answers(
        self, text: str | None = None, item_id: str | None = None, caption_id: str | None = None
    ) -> list[str]:
        """Items that a text or caption names, or captions of an item; empty if not known here."""
        queries = self.queries
        if queries is None:
            return []
        if item_id is not None:
            named = zip(queries.caption_ids, queries.positives, strict=True)
            return [caption for caption, items in named if item_id in items]
        if caption_id is not None:
            row = self._row_of_caption.get(self.first_ids.get(caption_id, ""))
        else:
            row = self._row_of_text.get(normal_text(text or ""))
        return [] if row is None else list(queries.positives[row])

    @cached_property
    def texts(self) -> dict[str, str]:
        """The first caption of each item."""
        if self.captions is None:
            return {}
        first = self.captions.drop_duplicates("item_id")
        return dict(zip(first["item_id"], first["text"], strict=True))

    @cached_property
    def first_ids(self) -> dict[str, str]:
        """Each caption, and the one that stands for its text."""
        captions, queries = self.captions, self.queries
        if captions is None or queries is None:
            return {}
        rows = captions["text"].map(normal_text).map(self._row_of_text)
        named = zip(captions["caption_id"], rows, strict=True)
        return {caption: queries.caption_ids[row] for caption, row in named}

    @cached_property
    def _row_of_caption(self) -> dict[str, int]:
        return {caption: row for row, caption in enumerate((self.queries or _NONE).caption_ids)}

    @cached_property
    def _row_of_text(self) -> dict[str, int]:
        texts = (self.queries or _NONE).texts
        return {normal_text(text): row for row, text in enumerate(texts)}

    def _step(self) -> int:
        one = max(1, self.source.numbers_of(self.rows[:1]))
        return int(np.clip(_NUMBERS // one, 1, _MOST))


def caption_rows(store: FeatureStore, ids: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """Rows of captions in their store, in blocks."""
    rows = store.index(ids)
    for start in range(0, len(rows), _MOST):
        yield rows[start : start + _MOST]


def longest_caption(store: FeatureStore, ids: Sequence[str]) -> int:
    """Words of the longest of these captions; 0 where they are vectors."""
    if not isinstance(store, WordStore):
        return 0
    return int(store.lengths[store.index(ids)].max(initial=0))


def _reader(run: TrainedRun) -> SplitReader:
    return SplitReader.open(
        run.config.data, run.manifest, run.captions, run.item_store, run.caption_store
    )


def _stored(run: TrainedRun, path: Path) -> Gallery:
    store = open_store(path)
    aligned = run.starts_from == "embeddings"
    own = FeatureStore(run.space / "features/pooled.h5" if aligned else run.item_store)
    for name in _ENCODER:
        theirs, ours = store.attributes.get(name), own.attributes.get(name)
        if theirs != ours:
            raise DataError(
                f"{path}: its {name} is {theirs!r}, but run {run.name} was trained on features of "
                f"{ours!r}; encode the gallery as {own.path} was"
            )
    if (store.shape, store.ragged) != (own.shape, own.ragged):
        raise DataError(
            f"{path}: a feature is {_shape(store)}, but run {run.name} was trained on "
            f"{_shape(own)}; encode the gallery as {own.path} was"
        )
    ids = store.ids
    maps = Alignment.load(run.alignment) if aligned else None
    return Gallery(path.stem, store, ids, np.arange(len(ids)), maps=maps)


def _shape(store: FeatureStore) -> str:
    return f"{'frames of ' if store.ragged else ''}{' x '.join(map(str, store.shape))} numbers"
