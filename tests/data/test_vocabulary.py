"""Vocabularies: the published layout, what is wrong in a file, and captions as numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.tokens import tokeniser
from polymatch.data.vocabulary import SPECIAL, Vocabulary
from polymatch.errors import DataError

TEXTS = ["A red heart.", "a Red apple on a table", "the apple's leaf", "red, red leaf"]


def test_words_are_numbered_as_they_appear_and_rare_ones_left_out():
    assert Vocabulary.build(TEXTS, 2).words == (*SPECIAL, "a", "red", "apple", "leaf")
    assert Vocabulary.build(TEXTS, 4).words == (*SPECIAL, "red")
    everything = Vocabulary.build(TEXTS, 1)
    assert everything.words[4:9] == ("a", "red", "heart", ".", "apple") and "'s" in everything


def test_no_word_is_frequent_enough():
    message = (
        r"no word is 9 times in the captions that the vocabulary is built from; lower "
        r"`words\.min_count`"
    )
    with pytest.raises(DataError, match=message):
        Vocabulary.build(TEXTS, 9)


def test_the_published_layout_comes_back(tmp_path):
    vocabulary = Vocabulary.build(TEXTS, 1)
    vocabulary.save(tmp_path / "v.json")
    record = json.loads((tmp_path / "v.json").read_text())
    assert sorted(record) == ["idx", "idx2word", "word2idx"]
    assert record["idx"] == len(vocabulary)
    assert all(record["idx2word"][str(n)] == word for word, n in record["word2idx"].items())
    again = Vocabulary.load(tmp_path / "v.json")
    assert again.words == vocabulary.words and again.hash == vocabulary.hash
    assert again.source == str(tmp_path / "v.json")
    # The published files have their words in any order.
    record["word2idx"] = dict(reversed(record["word2idx"].items()))
    (tmp_path / "v.json").write_text(json.dumps(record))
    assert Vocabulary.load(tmp_path / "v.json").words == vocabulary.words


NUMBERS = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "red": 4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"<unk>": None, "red": 3}, r"v.json: the vocabulary has no <unk>; add it as a word"),
        ({"red": 6}, r"v.json: no word has number 4 \(and 1 more\), though 6 is in use; words mus"),
        ({"<end>": None}, r"v.json: no word has number 2, though 4 is in use; words must be num"),
        ({"red": 3}, r"v.json: '<unk>' and 'red' both have number 3; words must be numbered"),
        ({"red": -1}, r"v.json: 'red' has number -1; words must be numbered from 0 on"),
        ({"red": "4"}, r"v.json: word 'red' has '4' for a number"),
        ({"red": True}, r"v.json: word 'red' has True for a number"),
        ({"<pad>": 4, "red": 0}, r"v.json: <pad> has number 4, not 0, which is what batches are"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, changes, message):
    numbers = {**NUMBERS, **changes}
    numbers = {word: number for word, number in numbers.items() if number is not None}
    (tmp_path / "v.json").write_text(json.dumps({"word2idx": numbers}))
    with pytest.raises(DataError, match=message):
        Vocabulary.load(tmp_path / "v.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"v.json: not JSON \("),
        ("[]", r"v.json: not a vocabulary; it must hold `word2idx`, word to number"),
        ('{"word2idx": {}}', r"v.json: not a vocabulary; it must hold `word2idx`"),
    ],
)
def test_files_of_another_kind(tmp_path, text, message):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(DataError, match=message):
        Vocabulary.load(tmp_path / "v.json")
    with pytest.raises(DataError, match=r"gone.json: no such file; give the path of a vocab"):
        Vocabulary.load(tmp_path / "gone.json")


@given(st.text(max_size=40))
def test_captions_as_numbers(text):
    vocabulary = Vocabulary.build(TEXTS, 1)
    words, numbers = vocabulary.tokens(text), vocabulary.encode(text)
    assert len(numbers) == len(words) + 2
    assert numbers[0] == 1 and numbers[-1] == 2 and 0 not in numbers
    for word, number in zip(words, numbers[1:-1], strict=True):
        assert number == (vocabulary.words.index(word) if word in vocabulary.words else 3)
    assert vocabulary.unknown(text) == [word for word in words if word not in vocabulary.words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't O'Clock!", ["it", "is", "n't", "o'clock", "!"]),
        ('a "stop" sign', ["a", "``", "stop", "''", "sign"]),
        ("a stove/oven, at 11:20", ["a", "stove/oven", ",", "at", "11:20"]),
        ("a wrought-iron gate. birds", ["a", "wrought-iron", "gate", ".", "birds"]),
        ("by mr. t. on st. mark's", ["by", "mr.", "t.", "on", "st.", "mark", "'s"]),
        ("two trees.. and", ["two", "trees", "..", "and"]),
        ("<pad> <unk>", ["<", "pad", ">", "<", "unk", ">"]),
        ("  ", []),
    ],
)
def test_captions_are_split_as_the_published_vocabularies_have_them(text, words):
    assert tokeniser()(text) == words


def test_a_vocabulary_knows_its_own_abbreviations():
    words = [*SPECIAL, "bldg.", "."]
    assert Vocabulary([*SPECIAL]).tokens("a bldg. in town") == ["a", "bldg", ".", "in", "town"]
    assert Vocabulary(words).tokens("a bldg. in town") == ["a", "bldg.", "in", "town"]
    assert Vocabulary(words).tokens("a bldg. in town.")[-2:] == ["town", "."]
