"""What a head is trained on, in memory or in its stores.

An item is a vector or one for each of its regions or frames; a caption is a vector or its words,
numbers that zeros fill up to one length.

The two forms answer to the same names, so that whatever goes through the captions in parts takes
either. The stored form holds row numbers only; what it gives is checked as it is read, since a
store may be larger than what one job uses of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore
from polymatch.data.words import WordStore

Rows = NDArray[np.int64]

Width: TypeAlias = Any
"""What a model has to know of its input: D of vectors, (R, F) of regions, the number of words."""

_MB = 1 << 20


class Gathered(NamedTuple):
    """Some captions with their items.

    Attributes:
        items: [I, ...], each item once, in ascending order of its row in the training set.
        captions: [C, ...], in the order asked for.
        pairs: [C], each caption's row in ``items``.
    """

    items: Any
    captions: np.ndarray
    pairs: Rows


@dataclass(frozen=True)
class TrainingSet:
    """Items, captions and which caption row is about which item.

    ``items`` [N, D], [N, R, F] or :class:`polymatch.data.frames.Frames` and ``captions`` [M, D'] or
    words [M, L] are features; ``pairs`` [M] gives each caption's item row. ``texts`` [M] numbers
    the distinct texts: captions of one text, and of one item, are positives of each other's items.
    ``wording`` holds the texts themselves, by that number, and ``vocabulary_size`` is of the words.
    ``concepts`` [N, C] says how much each tag is an item's, from 0 to 1, where models with a
    concept space are trained.
    """

    items: Any
    captions: np.ndarray
    pairs: np.ndarray
    texts: np.ndarray
    wording: Sequence[str] = ()
    vocabulary_size: int | None = None
    concepts: np.ndarray | None = None

    @property
    def widths(self) -> tuple[Width, Width]:
        """Of items and of captions; with the number of tags beside that of words if there are."""
        captions = self.vocabulary_size or width_of(self.captions.shape[1:])
        return width_of(self.items.shape[1:]), with_tags(captions, self.concepts)

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
        pairs, texts, wording, concepts: as in :class:`TrainingSet`.
        memory_mb: what a loader of it may hold.
    """

    item_store: FeatureStore
    caption_store: FeatureStore
    item_rows: Rows
    caption_rows: Rows
    pairs: Rows
    texts: Rows
    wording: Sequence[str] = ()
    memory_mb: int = 1024
    concepts: np.ndarray | None = None

    @property
    def widths(self) -> tuple[Width, Width]:
        """Of items and of captions, as of :class:`TrainingSet`."""
        captions = self.vocabulary_size or width_of(self.caption_store.shape)
        return width_of(self.item_store.shape), with_tags(captions, self.concepts)

    @property
    def vocabulary_size(self) -> int | None:
        """Number of words, where captions are words."""
        store = self.caption_store
        return store.vocabulary_size if isinstance(store, WordStore) else None

    @property
    def nbytes(self) -> int:
        """Size of all features in memory."""
        of_items = self.item_store.numbers_of(self.item_rows)
        return 4 * (of_items + self.caption_store.numbers_of(self.caption_rows))

    def gather(self, rows: Rows, checked: bool = False, among: Rows | None = None) -> Gathered:
        """Read the captions of these rows with their items; fastest in the stores' order.

        Args:
            rows: [C] rows of the training set.
            checked: these rows were read before, so they need not be looked through again.
            among: rows that they are some of: words are filled up as those of all are.

        Raises:
            DataError: a feature is NaN or infinite; its id is named.
        """
        items, pairs = np.unique(self.pairs[rows], return_inverse=True)
        captions = self.caption_store.take(self.caption_rows[rows], checked)
        if among is not None and isinstance(self.caption_store, WordStore):
            longest = int(self.caption_store.lengths[self.caption_rows[among]].max(initial=0))
            captions = np.pad(captions, ((0, 0), (0, longest - captions.shape[1])))
        return Gathered(self.item_store.take(self.item_rows[items], checked), captions, pairs)

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
            self.wording,
            self.vocabulary_size,
            self.concepts,
        )

    def within(self, memory_mb: int) -> TrainingSet | StoredTrainingSet:
        """All of it in memory if it fits into ``memory_mb``; else itself, to be read in parts."""
        if self.nbytes <= memory_mb * _MB:
            return self.load()
        return replace(self, memory_mb=memory_mb)


def width_of(shape: Sequence[int]) -> Width:
    """The width of features of this shape: a number for a vector."""
    return shape[0] if len(shape) == 1 else tuple(shape)


def with_tags(words: Width, concepts: np.ndarray | None) -> Width:
    """The width of captions, with the number of concept tags if there are any."""
    return words if concepts is None else (words, concepts.shape[1])
