"""Vocabularies: which words have a number, in the JSON of the published ones or built anew.

The file holds ``word2idx``, ``idx2word`` and ``idx`` (how many), as SCAN's, SGRAF's and DAA's
``*_vocab.json`` do. ``<pad>`` is 0: it fills up a batch and is never in a caption. Built anew, the
words follow in order of first appearance, as the published builder has it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from polymatch.data.tokens import tokeniser
from polymatch.errors import DataError
from polymatch.files import written_atomically

PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unk>"
SPECIAL = (PAD, START, END, UNKNOWN)


class Vocabulary:
    """Words and their numbers.

    Args:
        words: word i has number i; the four of :data:`SPECIAL` are among them, ``<pad>`` first.
        source: where they are from, for messages.

    >>> words = Vocabulary([*SPECIAL, "red", "heart"])
    >>> words.encode("Red bear heart")
    [1, 4, 3, 5, 2]
    >>> words.unknown("Red bear heart")
    ['bear']
    """

    def __init__(self, words: Sequence[str], source: str = "the vocabulary") -> None:
        self.words = tuple(words)
        self.source = source
        self._number = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._number

    @classmethod
    def build(cls, texts: Iterable[str], min_count: int = 4) -> Vocabulary:
        """The words that are at least ``min_count`` times in ``texts``.

        Raises:
            DataError: no word is.
        """
        split = tokeniser()
        counts = Counter(word for text in texts for word in split(text))
        words = [word for word, count in counts.items() if count >= min_count]
        if not words:
            raise DataError(
                f"no word is {min_count} times in the captions that the vocabulary is built from; "
                "lower `words.min_count`"
            )
        return cls([*SPECIAL, *words], "the vocabulary built from the captions")

    @classmethod
    def load(cls, path: Path | str) -> Vocabulary:
        """Read the published JSON.

        Raises:
            DataError: there is no such file, it is not such JSON, its numbers have gaps or
                repeats, a special word is missing or ``<pad>`` is not 0.
        """
        numbers = _numbers(Path(path))
        words = sorted(numbers, key=numbers.__getitem__)
        if [numbers[word] for word in words] != list(range(len(words))):
            raise DataError(f"{path}: {_gaps(numbers)}; words must be numbered from 0 on")
        absent = [word for word in SPECIAL if word not in numbers]
        if absent:
            raise DataError(
                f"{path}: the vocabulary has no {', '.join(absent)}; add it as a word of its own"
            )
        if words[0] != PAD:
            raise DataError(
                f"{path}: {PAD} has number {numbers[PAD]}, not 0, which is what batches are "
                "filled up with"
            )
        return cls(words, str(path))

    def save(self, path: Path | str) -> None:
        """Write the published JSON, whole or not at all."""
        record = {
            "word2idx": self._number,
            "idx2word": {str(number): word for number, word in enumerate(self.words)},
            "idx": len(self),
        }
        with written_atomically(path) as partial:
            partial.write_text(json.dumps(record, indent=0) + "\n", encoding="utf-8")

    def tokens(self, text: str) -> list[str]:
        """The words of a caption, known or not."""
        return self._split(text)

    def unknown(self, text: str) -> list[str]:
        """Those of them that have no number."""
        return [word for word in self._split(text) if word not in self._number]

    def encode(self, text: str) -> list[int]:
        """Numbers of ``<start>``, of the caption's words (``<unk>`` if not here), of ``<end>``."""
        return self.encode_words(self._split(text))

    def encode_words(self, words: Iterable[str]) -> list[int]:
        """The same, of a caption that is split already."""
        number = self._number
        unknown = number[UNKNOWN]
        return [number[START], *(number.get(word, unknown) for word in words), number[END]]

    @property
    def hash(self) -> str:
        """A short hash of the words and their order."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()[:16]

    @cached_property
    def _split(self) -> Any:
        # A word that was written with its full stop was met inside of a sentence.
        return tokeniser(word[:-1] for word in self.words if word.endswith(".") and word != ".")


def _numbers(path: Path) -> dict[str, int]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a vocabulary") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    numbers = record.get("word2idx") if isinstance(record, dict) else None
    if not isinstance(numbers, dict) or not numbers:
        raise DataError(f"{path}: not a vocabulary; it must hold `word2idx`, word to number")
    for word, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise DataError(f"{path}: word {word!r} has {number!r} for a number")
    return numbers


def _gaps(numbers: dict[str, int]) -> str:
    """What is wrong with numbers that are not 0, 1, 2, ..., with the first case."""
    owners: dict[int, str] = {}
    for word, number in numbers.items():
        if number in owners:
            return f"{owners[number]!r} and {word!r} both have number {number}"
        owners[number] = word
    if absent := sorted(set(range(max(owners))) - set(owners)):
        others = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        return f"no word has number {absent[0]}{others}, though {max(owners)} is in use"
    return f"{owners[min(owners)]!r} has number {min(owners)}"
