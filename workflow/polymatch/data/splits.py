"""A split as features: what a head is trained on, and what it is scored on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.data.captions import Queries, merge_queries, normal_text, select_kinds
from polymatch.data.features import FeatureStore
from polymatch.data.tables import read_table
from polymatch.data.tags import read_tags
from polymatch.data.training_set import StoredTrainingSet, TrainingSet
from polymatch.data.words import open_store
from polymatch.errors import DataError
from polymatch.settings.stages import DataSettings

__all__ = ["RetrievalSet", "SplitReader", "StoredTrainingSet", "TrainingSet"]


class Tags(NamedTuple):
    """The tables of a data set's concept tags: of each item, and which there are."""

    of_items: Path
    vocabulary: Path

    def of(self, items: Sequence[str]) -> np.ndarray:
        """How much each tag is each item's: [N, C], from 0 to 1."""
        return read_tags(self.of_items, self.vocabulary, items)


@dataclass(frozen=True)
class RetrievalSet:
    """A gallery and its queries, one row a distinct text; features, tags as in a training set.

    ``positives`` holds, for each query, the ids of all items that its text names.
    """

    item_ids: list[str]
    items: Any
    texts: list[str]
    captions: np.ndarray
    positives: list[tuple[str, ...]]
    concepts: np.ndarray | None = None

    def matches(self) -> np.ndarray:
        """Return every right answer as a row (item row, query row), [P, 2]."""
        return matched_rows(self.item_ids, self.positives)

    def as_pairs(self) -> TrainingSet:
        """The same as pairs, a row for each right answer: what a loss can be computed on."""
        items, queries = self.matches().T
        # Where each query names one item its features are these already; they may be large.
        as_they_are = np.array_equal(queries, np.arange(len(self.captions)))
        captions = self.captions if as_they_are else self.captions[queries]
        return TrainingSet(self.items, captions, items, queries, self.texts, concepts=self.concepts)


def matched_rows(item_ids: Sequence[str], positives: Iterable[Iterable[str]]) -> np.ndarray:
    """Every right answer as a row (item row, query row), [P, 2]; ``positives`` by query."""
    row_of = {item_id: row for row, item_id in enumerate(item_ids)}
    pairs = [(row_of[item], query) for query, p in enumerate(positives) for item in p]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class SplitReader:
    """Reads splits of one data set from its tables and two feature stores.

    With ``skip_missing``, items without features (pictures that the encoder's stage left out and
    listed) are left out here too, as they are if the store says that it ``leaves_out`` some (items
    without sound); else they are an error. ``tags`` are what a concept space
    is trained with, where one is.
    """

    dataset: str
    manifest: pd.DataFrame
    captions: pd.DataFrame
    item_store: Path
    caption_store: Path
    skip_missing: bool = False
    tags: Tags | None = None

    @classmethod
    def open(
        cls,
        data: DataSettings,
        manifest: Path,
        captions: Path,
        item_store: Path,
        caption_store: Path,
        tags: Tags | None = None,
    ) -> SplitReader:
        """Read the tables; the stores are opened when they are asked."""
        return cls(
            data.name,
            read_table(manifest, "manifest"),
            read_table(captions, "captions"),
            item_store,
            caption_store,
            skip_missing=data.on_bad_item == "skip",
            tags=tags,
        )

    def training_set(self, split: str, kinds: list[str]) -> TrainingSet:
        """The items of ``split`` with their captions of these kinds, one row a caption."""
        return self.stored_training_set(split, kinds).load()

    def stored_training_set(self, split: str, kinds: list[str]) -> StoredTrainingSet:
        """The same without its features, which are read when they are asked for."""
        items, captions = self._rows(split, kinds)
        row_of = {item: row for row, item in enumerate(items)}
        texts, wording = pd.factorize(captions["text"].map(normal_text))
        item_store, item_rows = self._stored(self.item_store, items)
        caption_store, caption_rows = self._stored(self.caption_store, list(captions["caption_id"]))
        pairs = np.array([row_of[item] for item in captions["item_id"]])
        return StoredTrainingSet(
            item_store,
            caption_store,
            item_rows,
            caption_rows,
            pairs,
            texts,
            list(wording),
            concepts=self.tags.of(items) if self.tags else None,
        )

    def retrieval_set(
        self, split: str, kinds: list[str], rows: slice = slice(None)
    ) -> RetrievalSet:
        """The items of ``split`` as a gallery and the distinct texts about them as queries.

        With ``rows`` the gallery, and so the positives, are those rows of it; no other item's
        features are read. The queries are always all of them.
        """
        items, queries = self.gallery(split, kinds)
        items = items[rows]
        here = set(items)
        return RetrievalSet(
            items,
            self._features(self.item_store, items),
            list(queries.texts),
            self._features(self.caption_store, list(queries.caption_ids)),
            [tuple(item for item in named if item in here) for named in queries.positives],
            self.tags.of(items) if self.tags else None,
        )

    def gallery(self, split: str, kinds: list[str]) -> tuple[list[str], Queries]:
        """Item ids and queries of ``retrieval_set``, without reading a feature."""
        items, captions = self._rows(split, kinds)
        return items, merge_queries(captions)

    def caption_queries(self, split: str, kinds: list[str]) -> dict[str, int]:
        """Caption id -> its query in ``gallery``, for every caption of the split, in its order."""
        _, captions = self._rows(split, kinds)
        queries, _ = pd.factorize(captions["text"].map(normal_text))
        return dict(zip(captions["caption_id"], queries.tolist(), strict=True))

    def _rows(self, split: str, kinds: list[str]) -> tuple[list[str], pd.DataFrame]:
        captions = select_kinds(self.captions, kinds)
        in_split = self.manifest.loc[self.manifest["split"] == split, "item_id"]
        if self._skips():
            in_split = in_split[in_split.isin(FeatureStore(self.item_store).ids)]
        captions = captions[captions["item_id"].isin(in_split)]
        # An item without a caption of these kinds has no right answer in either direction.
        captioned = set(captions["item_id"])
        items = [item for item in in_split if item in captioned]
        if not items:
            raise DataError(
                f"{self.dataset}: split {split!r} has no item with a caption of kind "
                f"{' or '.join(kinds)}; check `data.train_captions` and `data.test_captions`"
            )
        return items, captions

    def _skips(self) -> bool:
        """Whether items without features are left out: as asked, or as the store itself says."""
        if self.skip_missing:
            return True
        # A stage that needs no features names no store.
        return (
            self.item_store.is_file() and "leaves_out" in FeatureStore(self.item_store).attributes
        )

    def _features(self, path: Path, ids: list[str]) -> Any:
        store, rows = self._stored(path, ids)
        return store.take(rows)

    def _stored(self, path: Path, ids: list[str]) -> tuple[FeatureStore, NDArray[np.int64]]:
        """A store of this data set and the rows of ``ids`` in it."""
        store = open_store(path)
        store.check_dataset(self.dataset)
        return store, store.index(ids)
