"""What a head is trained on, in memory or in its stores.

The two forms answer to the same names, so that whatever goes through the captions in parts takes
either. The stored form holds row numbers only; what it gives is checked as it is read, since a
store may be larger than what one job uses of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore

Rows = NDArray[np.int64]

_MB = 1 << 20


class Gathered(NamedTuple):
    """Some captions with their items.

    Attributes:
        items: [I, D], each item once, in ascending order of its row in the training set.
        captions: [C, D'], in the order asked for.
        pairs: [C], each caption's row in ``items``.
    """

    items: np.ndarray
    captions: np.ndarray
    pairs: Rows


@dataclass(frozen=True)
class TrainingSet:
    """Items, captions and which caption row is about which item.

    ``items`` [N, D] and ``captions`` [M, D'] are features; ``pairs`` [M] gives each caption's item
    row. ``texts`` [M] numbers the distinct texts: captions of one text, and of one item, are
    positives of each other's items.
    """

    items: np.ndarray
    captions: np.ndarray
    pairs: np.ndarray
    texts: np.ndarray

    @property
    def widths(self) -> tuple[int, int]:
        """D and D'."""
        return self.items.shape[-1], self.captions.shape[-1]

    def gather(self, rows: Rows) -> Gathered:
        """The captions of these rows with their items."""
        items, pairs = np.unique(self.pairs[rows], return_inverse=True)
        return Gathered(self.items[items], self.captions[rows], pairs)


@dataclass(frozen=True)
class StoredTrainingSet:
    """A training set whose features stay on disk.

    Attributes:
        item_store, caption_store: where the features are.
        item_rows: [N], the items' rows in their store. caption_rows: [M], likewise.
        pairs, texts: [M], as in :class:`TrainingSet`.
        memory_mb: what a loader of it may hold.
    """

    item_store: FeatureStore
    caption_store: FeatureStore
    item_rows: Rows
    caption_rows: Rows
    pairs: Rows
    texts: Rows
    memory_mb: int = 1024

    @property
    def widths(self) -> tuple[int, int]:
        """Widths D and D' of items and captions."""
        return self.item_store.dim, self.caption_store.dim

    @property
    def nbytes(self) -> int:
        """Size of all features, as float32."""
        item_width, caption_width = self.widths
        return 4 * (len(self.item_rows) * item_width + len(self.caption_rows) * caption_width)

    def gather(self, rows: Rows, checked: bool = False) -> Gathered:
        """Read the captions of these rows with their items; fastest in the stores' order.

        Args:
            rows: [C] rows of the training set.
            checked: these rows were read before, so they need not be looked through again.

        Raises:
            DataError: a feature is NaN or infinite; its id is named.
        """
        items, pairs = np.unique(self.pairs[rows], return_inverse=True)
        return Gathered(
            self.item_store.take(self.item_rows[items], checked),
            self.caption_store.take(self.caption_rows[rows], checked),
            pairs,
        )

    def load(self) -> TrainingSet:
        """Read all of it.

        Raises:
            DataError: see :meth:`gather`.
        """
        return TrainingSet(
            self.item_store.take(self.item_rows),
            self.caption_store.take(self.caption_rows),
            self.pairs,
            self.texts,
        )

    def within(self, memory_mb: int) -> TrainingSet | StoredTrainingSet:
        """All of it in memory if it fits into ``memory_mb``; else itself, to be read in parts."""
        if self.nbytes <= memory_mb * _MB:
            return self.load()
        return replace(self, memory_mb=memory_mb)
