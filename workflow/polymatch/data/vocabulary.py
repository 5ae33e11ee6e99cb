"""Vocabularies: which words have a number, in the JSON of the published ones or built anew.

``<pad>`` is 0 in all of them: it fills up a batch and is never in a caption. There are two styles,
each with the way to split a caption, the order of words that are built anew, and the file of the
code that it is from:

- ``sentence`` (SCAN, SGRAF, DAA): a caption is ``<start>``, NLTK's words, ``<end>``; words follow
  in order of first appearance; the file holds ``word2idx``, ``idx2word`` and ``idx`` (how many).
- ``plain`` (Dual Encoding++): a caption is its letters and digits alone, nothing in front or
  behind; the commonest words come first, :data:`LARGEST` of them; the file is word to number.

Deviation of ``plain``: Dual Encoding++ builds its vocabulary from such words but looks those of a
caption up as they are written, so that there ``Dog,`` is ``<unk>`` though ``dog`` has a number.
Here both are split alike.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from polymatch.data.tokens import plain_words, tokeniser
from polymatch.errors import DataError
from polymatch.files import written_atomically

PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unk>"
SPECIAL = (PAD, START, END, UNKNOWN)
PLAIN_SPECIAL = (PAD, "<s>", "</s>", UNKNOWN)
"""What a vocabulary of style ``plain`` begins with; captions have only the last."""
LARGEST = 50_000

Style = Literal["sentence", "plain"]


class Vocabulary:
    """Words and their numbers.

    Args:
        words: word i has number i; ``<pad>`` is the first, ``<unk>`` among them, and for style
            ``sentence`` ``<start>`` and ``<end>`` too.
        source: where they are from, for messages.
        style: how captions are split.

    >>> words = Vocabulary([*SPECIAL, "red", "heart"])
    >>> words.encode("Red bear heart")
    [1, 4, 3, 5, 2]
    >>> words.unknown("Red bear heart")
    ['bear']
    >>> Vocabulary([*PLAIN_SPECIAL, "red", "heart"], style="plain").encode("Red bear-heart!")
    [4, 3, 5]
    """

    def __init__(
        self, words: Sequence[str], source: str = "the vocabulary", style: Style = "sentence"
    ) -> None:
        self.words = tuple(words)
        self.source = source
        self.style = style
        self._number = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._number

    @classmethod
    def build(
        cls, texts: Iterable[str], min_count: int = 4, style: Style = "sentence"
    ) -> Vocabulary:
        """The words that are at least ``min_count`` times in ``texts``.

        Raises:
            DataError: no word is.
        """
        plain = style == "plain"
        split = plain_words if plain else tokeniser()
        counts = Counter(word for text in texts for word in split(text))
        ordered = counts.most_common(LARGEST) if plain else counts.items()
        words = [word for word, count in ordered if count >= min_count]
        if not words:
            raise DataError(
                f"no word is {min_count} times in the captions that the vocabulary is built from; "
                "lower `words.min_count`"
            )
        special = PLAIN_SPECIAL if plain else SPECIAL
        return cls([*special, *words], "the vocabulary built from the captions", style)

    @classmethod
    def load(cls, path: Path | str, style: Style | None = None) -> Vocabulary:
        """Read the JSON of either published layout.

        Args:
            style: how captions are to be split, whatever the layout; without it, as the code does
                that the layout is of.

        Raises:
            DataError: there is no such file, it is not such JSON, its numbers have gaps or
                repeats, a special word is missing or ``<pad>`` is not 0.
        """
        words, layout = read_numbered(path)
        style = style or layout
        needed = (PAD, UNKNOWN) if style == "plain" else SPECIAL
        absent = [word for word in needed if word not in words]
        if absent:
            without = ", or read it with `words.style: plain`" if layout == "plain" else ""
            raise DataError(
                f"{path}: the vocabulary has no {', '.join(absent)}; add it as a word of its own"
                + ("" if style == "plain" else without)
            )
        if words[0] != PAD:
            raise DataError(
                f"{path}: {PAD} has number {words.index(PAD)}, not 0, which is what batches are "
                "filled up with"
            )
        return cls(words, str(path), style)

    def save(self, path: Path | str) -> None:
        """Write the published JSON of this style, whole or not at all."""
        record: dict[str, Any] = self._number
        if self.style == "sentence":
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
        """Numbers of ``<start>``, of the caption's words (``<unk>`` if not here), of ``<end>``.

        Style ``plain`` has neither first nor last; a caption without any word is one ``<unk>``.
        """
        return self.encode_words(self._split(text))

    def encode_words(self, words: Iterable[str]) -> list[int]:
        """The same, of a caption that is split already."""
        number = self._number
        unknown = number[UNKNOWN]
        numbers = [number.get(word, unknown) for word in words]
        if self.style == "plain":
            return numbers or [unknown]
        return [number[START], *numbers, number[END]]

    @property
    def hash(self) -> str:
        """A short hash of the words and their order."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()[:16]

    @cached_property
    def _split(self) -> Any:
        if self.style == "plain":
            return plain_words
        # A word that was written with its full stop was met inside of a sentence.
        return tokeniser(word[:-1] for word in self.words if word.endswith(".") and word != ".")


def read_numbered(path: Path | str) -> tuple[list[str], Style]:
    """Words of a vocabulary in the order of their numbers, and the style whose layout it has.

    Raises:
        DataError: no such file, no such JSON, or the numbers have gaps or repeats.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a vocabulary") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    nested = isinstance(record, dict) and not isinstance(record.get("word2idx", 0), int)
    numbers = record["word2idx"] if nested else record
    if not isinstance(numbers, dict) or not numbers:
        raise DataError(
            f"{path}: not a vocabulary; it must hold `word2idx`, word to number, or be that itself"
        )
    for word, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise DataError(f"{path}: word {word!r} has {number!r:.60} for a number")
    words = sorted(numbers, key=numbers.__getitem__)
    if [numbers[word] for word in words] != list(range(len(words))):
        raise DataError(f"{path}: {_gaps(numbers)}; words must be numbered from 0 on")
    return words, "sentence" if nested else "plain"


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
