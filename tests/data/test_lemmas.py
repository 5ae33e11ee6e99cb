"""Lemmas: how many of those labelled by hand are found, and what is never one."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.lemmas import lemmatiser
from polymatch.data.tokens import plain_words

LABELLED = [
    (caption, lemmas.split())
    for caption, lemmas in (
        line.split("\t") for line in (Path(__file__).parent / "lemmas.tsv").read_text().splitlines()
    )
]


@pytest.fixture(scope="module")
def lemmas():
    return lemmatiser()


def test_what_is_labelled_is_found(lemmas):
    """The figures of the module's docstring; a new version of a package may not fall below."""
    found, there, both = 0, 0, 0
    for caption, labelled in LABELLED:
        ours = lemmas(caption)
        found, there = found + len(ours), there + len(labelled)
        both += (Counter(ours) & Counter(labelled)).total()
    assert (len(LABELLED), there) == (64, 285)
    assert both >= 280 and found - both <= 5


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Three children's WOLVES ran.", ["child", "wolf", "run"]),
        ("He doesn't know what they're doing; it isn't his.", ["know"]),
        ("a man has been there, I've seen him", ["man", "see"]),
        ("a fire burns, a baby cries", ["fire", "burn", "baby", "cry"]),
        ("quickly and very slowly over it", []),
        ("2 of 3", []),
        ("a glorptastic flummoxer", ["glorptastic", "flummoxer"]),
        ("小狗 🐕", []),
        ("  \n", []),
    ],
)
def test_nouns_verbs_and_adjectives_without_stop_words(lemmas, caption, expected):
    assert lemmas(caption) == expected


@given(st.text(max_size=60) | st.sampled_from([caption for caption, _ in LABELLED]))
def test_a_lemma_is_one_plain_word_and_the_same_again(text):
    found = LEMMAS(text)
    assert found == LEMMAS(text.swapcase()) or not text.isascii()
    assert len(found) <= len(plain_words(text))
    assert all(plain_words(lemma) == [lemma] for lemma in found)


LEMMAS = lemmatiser()
