"""The words store: the captions as numbers of a vocabulary, in one HDF5 file.

It is a ragged feature store (:mod:`polymatch.data.features`) whose rows are words: ``features`` is
int32 [all words], caption i has those from offsets[i] to offsets[i + 1]: its words, between
``<start>`` and ``<end>`` if the vocabulary's style is ``sentence``. The attribute
``vocabulary_size`` tells how many words there may be. What is taken from it is filled up with 0,
the number of ``<pad>``, so the length of a caption is the number of its entries that are not 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore, write_features
from polymatch.data.frames import FrameStore
from polymatch.data.vocabulary import Vocabulary
from polymatch.errors import DataError

PREPROCESSING = {
    "sentence": "word_tokenize, lower case, <start> words <end>",
    "plain": "letters and digits, lower case, words",
}
"""Style of a vocabulary -> what its store says of the captions in it."""


class WordStore(FeatureStore):
    """Read a words store; all of it is held in memory (COCO: 600,000 captions, 30 MB).

    Raises:
        DataError: from any use: the file is missing, truncated, or holds no words.
    """

    @property
    def vocabulary_size(self) -> int:
        """How many words the vocabulary has; every number is below it."""
        size = self.attributes.get("vocabulary_size")
        if not isinstance(size, int):
            raise DataError(f"{self.path}: features, not words; give the store of `tokenise`")
        return size

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the longest caption takes in memory: (L,)."""
        return (int(self.lengths.max(initial=0)),)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """[n], words of each caption, ``<start>`` and ``<end>`` included where they are."""
        return np.diff(self.offsets)

    def take(self, rows: NDArray[np.int64], checked: bool = False) -> NDArray[Any]:
        """Words of these captions, in their order, repeats allowed: int32 [len(rows), L].

        L is the longest caption among them; shorter ones are filled up with 0. ``checked`` is of
        no use here: all words are looked through once, when the store is opened.
        """
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[rows]
        places = np.arange(lengths.max(initial=0))
        there = places < lengths[:, None]
        taken = np.zeros(there.shape, dtype=np.int32)
        taken[there] = self._words[(self.offsets[rows][:, None] + places)[there]]
        return taken

    @cached_property
    def _words(self) -> NDArray[np.int32]:
        words = self._read("features", 0, None)
        wrong = (words < 1) | (words >= self.vocabulary_size)
        if wrong.any():
            place = int(np.argmax(wrong))
            owner = int(np.searchsorted(self.offsets, place, side="right")) - 1
            raise DataError(
                f"{self.path}: caption {self.ids[owner]!r} has word {words[place]}, not one of "
                f"1 to {self.vocabulary_size - 1}; delete the file and run its stage again"
            )
        return words.astype(np.int32, copy=False)


def open_store(path: Path | str) -> FeatureStore:
    """The store at ``path``, of words, of frames or of features, as it says itself.

    Raises:
        DataError: the file is missing, truncated, or not a store.
    """
    features = FeatureStore(path)
    if "vocabulary_size" in features.attributes:
        return WordStore(path)
    return FrameStore(path) if features.ragged else features


class UnknownWords(NamedTuple):
    """What the vocabulary lacks.

    Attributes:
        counts: how often each unknown word was met.
        captions: ids of the captions that have no other word.
    """

    counts: Counter[str]
    captions: list[str]


def write_words(
    path: Path | str,
    ids: Sequence[str],
    texts: Sequence[str],
    vocabulary: Vocabulary,
    attributes: Mapping[str, str | int | float],
    unknown: Literal["unk", "stop"] = "unk",
) -> UnknownWords:
    """Write the words of captions, whole or not at all.

    Args:
        ids: caption ids. texts: what the captions say.
        attributes: at least ``dataset`` and ``command``.
        unknown: a word that is not in the vocabulary becomes ``<unk>``, or stops this; so does
            a caption in which style ``plain`` finds no word at all (of emoji, in Chinese).

    Raises:
        DataError: a caption is empty; with ``stop`` it has an unknown word, or no word.
    """
    found = UnknownWords(Counter(), [])
    numbers: list[int] = []
    offsets = [0]
    for caption_id, text in zip(ids, texts, strict=True):
        words = vocabulary.tokens(text)
        if not text.strip():
            raise DataError(f"caption {caption_id!r} is empty; write it or take it out")
        if not words and unknown == "stop":
            raise DataError(
                f"caption {caption_id!r}: {text!r} has none of the letters a to z and no digit, "
                "which is all that `words.style: plain` reads; write it with them, take it out, "
                "or let it be one <unk> (`words.unknown: unk`)"
            )
        absent = [word for word in words if word not in vocabulary]
        if absent and unknown == "stop":
            raise DataError(
                f"caption {caption_id!r}: {absent[0]!r} is not in {vocabulary.source}; take "
                "another one (`words.vocabulary`), or let unknown words be <unk> "
                "(`words.unknown: unk`)"
            )
        found.counts.update(absent)
        if len(absent) == len(words):
            found.captions.append(caption_id)
        numbers += vocabulary.encode_words(words)
        offsets.append(len(numbers))
    described = {
        "encoder": "words",
        "revision": vocabulary.hash,
        "preprocessing": PREPROCESSING[vocabulary.style],
        "vocabulary_size": len(vocabulary),
        **attributes,
    }
    words_array = np.array(numbers, dtype=np.int32)
    write_features(path, ids, words_array, offsets=offsets, attributes=described, dtype="int32")
    return found
