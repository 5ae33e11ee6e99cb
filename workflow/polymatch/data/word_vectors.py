"""Vectors that the words of a vocabulary start from, in the order of the words' numbers.

They come from word2vec in a BigFile folder (Dual Encoding: 500 numbers, from 30 million Flickr
pictures' tags) or from a text encoder. What has none gets one that is drawn, ``<pad>`` zeros.

Deviations: the published script draws what is missing from -1 to 1. Here it is drawn from a normal
distribution with the mean and standard deviation that the vectors found have in each place, so
that a rare word is not louder than a known one: MiniLM's embeddings have a length of 1.1, what is
drawn from -1 to 1 in as many places one of 11. It is the same every time. The published script
gives *every* word such a vector: it calls a dict (``vocab.idx2word(i)``), and its bare ``except``
takes the TypeError for a missing word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.data.bigfile import BigFile
from polymatch.data.features import write_features
from polymatch.data.vocabulary import PAD, PLAIN_SPECIAL, SPECIAL, Vocabulary
from polymatch.errors import DataError

Vectors = NDArray[np.float32]


def own_words(vocabulary: Vocabulary) -> list[str]:
    """The words that stand for themselves, without ``<pad>``, ``<unk>`` and their like."""
    special = {*SPECIAL, *PLAIN_SPECIAL}
    return [word for word in vocabulary.words if word not in special]


def word2vec(folder: Path | str, words: Sequence[str]) -> Vectors:
    """Vectors [len(words), D] of a BigFile folder; a row of NaN for a word that it lacks.

    Raises:
        DataError: a file is missing or does not fit the others, or a vector is not finite.
    """
    given = BigFile.open(folder)
    there = [row for row, word in enumerate(words) if word in given]
    vectors = np.full((len(words), given.dims), np.nan, dtype=np.float32)
    vectors[there] = given.take(given.rows_of([words[row] for row in there]))
    wrong = [row for row in there if not np.isfinite(vectors[row]).all()]
    if wrong:
        raise DataError(
            f"{given.path}: the vector of {words[wrong[0]]!r} holds NaN or infinity; copy it again"
        )
    return vectors


def complete(vocabulary: Vocabulary, found: Vectors, seed: int = 0) -> tuple[Vectors, list[str]]:
    """Vectors of a whole vocabulary, and the words whose vectors are drawn.

    Args:
        found: [number of own words, D], those of :func:`own_words`; NaN where there is none.
        seed: of what is drawn.

    Returns:
        [V, D] in the order of the numbers, and the words, ``<unk>`` and its like among them.

    Raises:
        DataError: not two words have a vector.
    """
    known = np.isfinite(found).all(axis=1)
    if known.sum() < 2:
        raise DataError(
            f"{int(known.sum())} of the vocabulary's {len(found)} words have a vector; give "
            "vectors of the captions' language (`words.vectors`)"
        )
    number = {word: row for row, word in enumerate(vocabulary.words)}
    vectors = np.full((len(vocabulary), found.shape[1]), np.nan, dtype=np.float32)
    vectors[[number[word] for word in own_words(vocabulary)]] = found
    vectors[number[PAD]] = 0
    drawn = np.flatnonzero(np.isnan(vectors[:, 0]))
    mean, deviation = found[known].mean(axis=0), found[known].std(axis=0)
    noise = np.random.default_rng(seed).standard_normal((len(drawn), found.shape[1]))
    vectors[drawn] = mean + deviation * noise
    return vectors, [vocabulary.words[row] for row in drawn]


def write_word_vectors(
    path: Path | str,
    vocabulary: Vocabulary,
    vectors: Vectors,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write the store: ids are the words, in the order of their numbers.

    Args:
        attributes: at least ``encoder``, ``dataset`` and ``command``.
    """
    described = {
        "revision": vocabulary.hash,
        "preprocessing": "vectors of words, what is missing drawn alike, <pad> zero",
        **attributes,
    }
    write_features(path, vocabulary.words, vectors, attributes=described)


def drawn_table(vocabulary: Vocabulary, drawn: Sequence[str]) -> pd.DataFrame:
    """Rows of ``unknown_vectors.csv``: word, number."""
    number = {word: row for row, word in enumerate(vocabulary.words)}
    return pd.DataFrame({"word": list(drawn), "number": [number[word] for word in drawn]})
