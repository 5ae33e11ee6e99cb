"""Words of style `plain`: letters and digits, the published flat file, captions without any."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.tokens import plain_words
from polymatch.data.vocabulary import LARGEST, PLAIN_SPECIAL, SPECIAL, Vocabulary
from polymatch.data.words import WordStore, write_words
from polymatch.errors import DataError

TEXTS = ["The dog's ball, the DOG", "a dog-sled; a ball", "2 dogs on the sled"]
ABOUT = {"dataset": "toy", "command": "test"}
FLAT = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "dog": 4, "word2idx": 5}


@given(st.text(max_size=60))
def test_splitting_is_replacing_and_lowering_character_by_character(text):
    kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    cleaned = "".join(one if one in kept else " " for one in text).lower()
    assert plain_words(text) == cleaned.split()
    assert all(re.fullmatch("[a-z0-9]+", word) for word in plain_words(text))


def test_the_commonest_words_come_first_and_equals_as_they_appear():
    vocabulary = Vocabulary.build(TEXTS, 2, "plain")
    assert vocabulary.words == (*PLAIN_SPECIAL, "the", "dog", "ball", "a", "sled")
    assert vocabulary.style == "plain"
    everything = Vocabulary.build(TEXTS, 1, "plain")
    assert everything.words[9:] == ("s", "2", "dogs", "on")


def test_no_more_words_than_the_published_code_takes():
    texts = [f"w{number} common" for number in range(LARGEST + 5)]
    vocabulary = Vocabulary.build(texts, 1, "plain")
    assert len(vocabulary) == LARGEST + 4 and vocabulary.words[4:6] == ("common", "w0")
    assert f"w{LARGEST - 2}" in vocabulary and f"w{LARGEST - 1}" not in vocabulary


def test_the_flat_file_comes_back(tmp_path):
    vocabulary = Vocabulary.build(TEXTS, 1, "plain")
    vocabulary.save(tmp_path / "v.json")
    record = json.loads((tmp_path / "v.json").read_text())
    assert list(record) == list(vocabulary.words)
    assert list(record.values()) == list(range(len(vocabulary)))
    again = Vocabulary.load(tmp_path / "v.json")
    assert again.words == vocabulary.words and again.style == "plain"


def test_either_layout_is_read_in_either_style(tmp_path):
    (tmp_path / "flat.json").write_text(json.dumps(FLAT))
    flat = Vocabulary.load(tmp_path / "flat.json")
    assert flat.style == "plain" and flat.encode("Dog, word2idx cat") == [4, 5, 3]
    Vocabulary([*SPECIAL, "dog"]).save(tmp_path / "nested.json")
    assert Vocabulary.load(tmp_path / "nested.json").encode("Dog,") == [1, 4, 3, 2]
    plain = Vocabulary.load(tmp_path / "nested.json", "plain")
    assert plain.encode("Dog,") == [4]
    plain.save(tmp_path / "saved.json")
    assert json.loads((tmp_path / "saved.json").read_text())["dog"] == 4


def test_a_flat_file_for_sentences_lacks_words(tmp_path):
    (tmp_path / "v.json").write_text(json.dumps(FLAT))
    message = (
        r"v.json: the vocabulary has no <start>, <end>; add it as a word of its own, or read it "
        r"with `words.style: plain`$"
    )
    with pytest.raises(DataError, match=message):
        Vocabulary.load(tmp_path / "v.json", "sentence")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({**FLAT, "<unk>": "3"}, r"v.json: word '<unk>' has '3' for a number"),
        ({"idx2word": {"0": "<pad>"}}, r"v.json: word 'idx2word' has \{'0': '<pad>'\} for a numb"),
        ({"<pad>": 0, "<s>": 1}, r"v.json: the vocabulary has no <unk>; add it as a word of its o"),
        ({"<unk>": 0, "<pad>": 1}, r"v.json: <pad> has number 1, not 0, which is what batches are"),
        ({"<pad>": 0, "<unk>": 2}, r"v.json: no word has number 1, though 2 is in use; words must"),
        ({}, r"v.json: not a vocabulary; it must hold `word2idx`, word to number, or be that itse"),
        ({"word2idx": []}, r"v.json: not a vocabulary; it must hold `word2idx`, word to number,"),
    ],
)
def test_what_is_wrong_in_a_flat_file_is_named(tmp_path, record, message):
    (tmp_path / "v.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=message):
        Vocabulary.load(tmp_path / "v.json")


def test_captions_are_their_words_alone(tmp_path):
    vocabulary = Vocabulary.build(TEXTS, 2, "plain")
    ids, texts = ["c0", "c1", "c2"], ["The dog's ball!", "小狗 🐕", "cat"]
    found = write_words(tmp_path / "w.h5", ids, texts, vocabulary, ABOUT)
    store = WordStore(tmp_path / "w.h5")
    assert store.gather(ids).tolist() == [[4, 5, 3, 6], [3, 0, 0, 0], [3, 0, 0, 0]]
    assert store.attributes["preprocessing"] == "letters and digits, lower case, words"
    assert found.counts == {"s": 1, "cat": 1} and found.captions == ["c1", "c2"]


def test_a_caption_without_letters_stops_where_unknown_words_do(tmp_path):
    vocabulary = Vocabulary([*PLAIN_SPECIAL, "dog"], style="plain")
    message = (
        r"caption 'b': '小狗 🐕' has none of the letters a to z and no digit, which is all that "
        r"`words.style: plain` reads; write it with them, take it out, or let it be one <unk> "
        r"\(`words.unknown: unk`\)"
    )
    with pytest.raises(DataError, match=message):
        write_words(tmp_path / "w.h5", ["a", "b"], ["dog", "小狗 🐕"], vocabulary, ABOUT, "stop")
    with pytest.raises(DataError, match=r"caption 'b' is empty; write it or take it out"):
        write_words(tmp_path / "w.h5", ["a", "b"], ["dog", " \n"], vocabulary, ABOUT)
    assert not list(tmp_path.iterdir())
