"""Names and keywords of emoji, from the four collections that the build reads.

A text is kept in lower case with straight quotes and single spaces, so that the same name in two
collections is one caption. Unicode's own character names come from the table in emojibase rather
than from the interpreter, whose table depends on its version.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CodePoints = tuple[int, ...]

MOST_ITEMS_OF_A_KEYWORD = 10
_VARIATION_SELECTOR = 0xFE0F
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


@dataclass(frozen=True)
class Collections:
    """The upstream tables as they are in their files.

    Attributes:
        cldr: character -> {"tts": [name], "default": keywords}, one mapping per locale.
        emojibase: records with hexcode, label, tags, group, subgroup.
        shortcodes: hexcode -> one or more names with underscores, one mapping per set.
        unicode_names: hexcode -> Unicode character name.
        emojilib: character -> [name, keyword, ...].
    """

    cldr: tuple[Mapping[str, Mapping[str, list[str]]], ...]
    emojibase: tuple[Mapping[str, Any], ...]
    shortcodes: tuple[Mapping[str, str | list[str]], ...]
    unicode_names: Mapping[str, str]
    emojilib: Mapping[str, list[str]]


def bare(hexcode: str) -> CodePoints:
    """Return the code points of an upstream name without variation selectors and leading zeros.

    That is what all upstream files agree on.

    >>> bare("0023-FE0F-20E3")
    (35, 8419)
    """
    return tuple(
        c for c in (int(part, 16) for part in hexcode.split("-")) if c != _VARIATION_SELECTOR
    )


def tidy(text: str) -> str:
    """Return a text in the form in which captions are stored and compared.

    >>> tidy(" Japanese “bargain”  button")
    'japanese "bargain" button'
    """
    return " ".join(text.replace("_", " ").translate(_STRAIGHT).lower().split())


def names(collections: Collections) -> dict[CodePoints, tuple[str, ...]]:
    """Return the distinct names of every emoji, the CLDR name first.

    Names that differ only in punctuation and spaces are one ("speak-no-evil monkey"); the
    first spelling stays.
    """
    found: dict[CodePoints, dict[str, str]] = {}
    for code_points, text in _named(collections):
        name = tidy(text)
        letters = re.sub(r"[\W_]", "", name)
        if letters:
            found.setdefault(code_points, {}).setdefault(letters, name)
    return {code_points: tuple(texts.values()) for code_points, texts in found.items()}


def keywords(
    collections: Collections, names_of: Mapping[CodePoints, tuple[str, ...]]
) -> dict[CodePoints, tuple[str, ...]]:
    """Return the keywords of the emoji in ``names_of``, sorted, no empty lists.

    Kept is what tells something about the picture: no emoticons, numbers or one and two letter
    codes, nothing that fits more than ten emoji ("face"), and nothing that is the name of one of
    ``names_of``, since that would show the test's queries in training.
    """
    taken = {name for texts in names_of.values() for name in texts}
    found: dict[CodePoints, set[str]] = {}
    for code_points, text in _tagged(collections):
        keyword = tidy(text)
        if code_points in names_of and keyword not in taken and _is_words(keyword):
            found.setdefault(code_points, set()).add(keyword)
    count = Counter(keyword for texts in found.values() for keyword in texts)
    kept = {
        code_points: tuple(sorted(k for k in texts if count[k] <= MOST_ITEMS_OF_A_KEYWORD))
        for code_points, texts in found.items()
    }
    return {code_points: texts for code_points, texts in kept.items() if texts}


def _named(collections: Collections) -> Iterator[tuple[CodePoints, str]]:
    for locale in collections.cldr:
        for character, texts in locale.items():
            for text in texts.get("tts", []):
                yield _bare_characters(character), text
    for record in collections.emojibase:
        yield bare(record["hexcode"]), record["label"]
    for character, words in collections.emojilib.items():
        yield _bare_characters(character), words[0]
    for hexcode, text in collections.unicode_names.items():
        if len(bare(hexcode)) == 1:
            yield bare(hexcode), text
    for shortcodes in collections.shortcodes:
        for hexcode, codes in shortcodes.items():
            for code in [codes] if isinstance(codes, str) else codes:
                # those with digits are codes rather than names: "clock1", "point_up_2"
                if _is_words(code) and not any(c.isdigit() for c in code):
                    yield bare(hexcode), code.replace("-", " ")


def _tagged(collections: Collections) -> Iterator[tuple[CodePoints, str]]:
    for locale in collections.cldr:
        for character, texts in locale.items():
            for text in texts.get("default", []):
                yield _bare_characters(character), text
    for record in collections.emojibase:
        for text in record.get("tags", []):
            yield bare(record["hexcode"]), text
    for character, words in collections.emojilib.items():
        for word in words[1:]:
            yield _bare_characters(character), word


def _bare_characters(text: str) -> CodePoints:
    return tuple(ord(c) for c in text if ord(c) != _VARIATION_SELECTOR)


def _is_words(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return letters >= 3 and text[0].isalnum() and text.isprintable()
