"""Words of a caption, in either of two published styles.

``sentence`` is how the published vocabularies of COCO and Flickr30K split it; ``plain`` is Dual
Encoding++'s: letters and digits alone.

The former were made with NLTK's ``word_tokenize``: sentences by a trained Punkt model, words by the
Penn Treebank's rules, which take a full stop off its word only at the end of a sentence. The rules
come with NLTK, the model is a download. Deviation: here Punkt knows :data:`ABBREVIATIONS` and those
that it is given instead of the model's 156. In lower case that is nearly all the model decides by:
its other statistics are of capital letters, and initials and numbers are told by their form. What
differs is a full stop after a rare abbreviation with more words behind it (``feb.``): of 15,000
paragraphs of English, a few sentences each, 12 were split otherwise.

Every letter is made lower case; the published code lowers bytes, so only A to Z. COCO's vocabulary
has some words like ``field..``, which an NLTK before 3.5 left whole; since then they are two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

ABBREVIATIONS = frozenset(
    [
        *"cdefghklmnprstvw",
        *("ave", "bros", "co", "corp", "dr", "ft", "inc", "jr", "lt", "ltd", "maj"),
        *("mr", "mrs", "ms", "prof", "sr", "st", "vs"),
        *("a.m", "d.c", "l.a", "n.y", "p.m", "u.k", "u.s", "u.s.a"),
    ]
)
"""Words that may keep their full stop inside of a sentence, without it."""


def tokeniser(abbreviations: Iterable[str] = ()) -> Callable[[str], list[str]]:
    """Return the function that splits a caption into words.

    Args:
        abbreviations: more of :data:`ABBREVIATIONS`, without their last full stop.

    >>> tokeniser()("A woman's dog, by Mr. Smith. It isn't red.")
    ['a', 'woman', "'s", 'dog', ',', 'by', 'mr.', 'smith', '.', 'it', 'is', "n't", 'red', '.']
    """
    # Importing NLTK takes a second, and only the one job that makes words needs it.
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    known = PunktParameters()
    known.abbrev_types = {*ABBREVIATIONS, *abbreviations}
    sentences, words = PunktSentenceTokenizer(known), NLTKWordTokenizer()

    def split(text: str) -> list[str]:
        text = text.lower().strip()
        # Most captions are one sentence, and finding sentences takes most of the time.
        several = any(mark in text[:-1] for mark in ".?!")
        parts = sentences.tokenize(text) if several else [text]
        return [word for part in parts for word in words.tokenize(part)]

    return split


def plain_words(text: str) -> list[str]:
    """Split a caption into its runs of letters and digits, in lower case.

    Letters are those of ASCII, as the published vocabularies have them: another one parts words.

    >>> plain_words("A woman's jalapeño, 2 dogs - and")
    ['a', 'woman', 's', 'jalape', 'o', '2', 'dogs', 'and']
    """
    return [word.lower() for word in _PLAIN.findall(text)]


_PLAIN = re.compile("[A-Za-z0-9]+")
