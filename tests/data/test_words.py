"""The words store: what is written is taken, filled up with zeros; bad captions are named."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.features import write_features
from polymatch.data.vocabulary import SPECIAL, Vocabulary
from polymatch.data.words import WordStore, write_words
from polymatch.errors import DataError

VOCABULARY = Vocabulary([*SPECIAL, "red", "heart", "a"], "words.json")
ABOUT = {"dataset": "toy", "command": "test"}
TEXTS = ["a red heart", "red", "bear", "a bear and a bear", "heart"]
IDS = [f"c{row}-é" for row in range(len(TEXTS))]


def slow_take(texts):
    """One caption after the other, filled up by hand."""
    captions = [VOCABULARY.encode(text) for text in texts]
    longest = max(map(len, captions), default=0)
    return [caption + [0] * (longest - len(caption)) for caption in captions]


@pytest.fixture
def store(tmp_path):
    write_words(tmp_path / "words.h5", IDS, TEXTS, VOCABULARY, ABOUT)
    return WordStore(tmp_path / "words.h5")


def test_what_is_written_is_there(store):
    assert store.ids == IDS and len(store) == 5 and store.ragged
    assert store.vocabulary_size == store.dim == 7
    assert store.attributes["dataset"] == "toy" and store.attributes["dtype"] == "int32"
    assert store.lengths.tolist() == [5, 3, 3, 7, 3]
    assert store.gather([IDS[2], IDS[0]]).tolist() == [[1, 3, 2, 0, 0], [1, 6, 4, 5, 2]]
    again = pickle.loads(pickle.dumps(store))
    assert np.array_equal(again.take(np.arange(5)), store.take(np.arange(5)))
    store.check("toy", IDS)
    with h5py.File(store.path) as file:
        assert file["features"].dtype == np.int32 and file["features"].shape == (21,)
        assert file["offsets"][:].tolist() == [0, 5, 8, 11, 18, 21]
    assert [path.name for path in store.path.parent.iterdir()] == ["words.h5"]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=12))
def test_taking_in_any_order(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("w") / "words.h5"
    write_words(path, IDS, TEXTS, VOCABULARY, ABOUT)
    taken = WordStore(path).take(np.array(rows, dtype=np.int64))
    assert taken.dtype == np.int32 and taken.shape[0] == len(rows)
    assert taken.tolist() == slow_take([TEXTS[row] for row in rows])


def test_unknown_words_are_counted(tmp_path):
    found = write_words(tmp_path / "w.h5", IDS, TEXTS, VOCABULARY, ABOUT)
    assert found.counts == {"bear": 3, "and": 1} and found.captions == ["c2-é"]


def test_unknown_words_stop(tmp_path):
    message = (
        r"caption 'c2-é': 'bear' is not in words.json; take another one \(`words.vocabulary`\), "
        r"or let unknown words be <unk> \(`words.unknown: unk`\)"
    )
    with pytest.raises(DataError, match=message):
        write_words(tmp_path / "w.h5", IDS, TEXTS, VOCABULARY, ABOUT, "stop")
    assert not list(tmp_path.iterdir())


def test_an_empty_caption(tmp_path):
    with pytest.raises(DataError, match=r"caption 'b' is empty; write it or take it out"):
        write_words(tmp_path / "w.h5", ["a", "b"], ["red", " \n"], VOCABULARY, ABOUT)
    assert not list(tmp_path.iterdir())


def test_features_are_no_words(tmp_path):
    about = {"encoder": "e", "revision": "1", "preprocessing": "p", **ABOUT}
    write_features(tmp_path / "f.h5", ["a"], np.ones((1, 3)), attributes=about)
    store = WordStore(tmp_path / "f.h5")
    with pytest.raises(DataError, match=r"f.h5: features, not words; give the store of `tokenise"):
        store.take(np.array([0]))


@pytest.mark.parametrize("number", [0, 7, -1])
def test_numbers_that_no_word_has(store, number):
    with h5py.File(store.path, "r+") as file:
        file["features"][9] = number
    message = rf"words.h5: caption 'c2-é' has word {number}, not one of 1 to 6; delete the file"
    with pytest.raises(DataError, match=message):
        WordStore(store.path).take(np.array([0]))


def test_other_data_and_broken_files(store, tmp_path):
    with pytest.raises(DataError, match=r"words.h5: features of data set 'toy', not of 'coco'"):
        store.check_dataset("coco")
    with pytest.raises(DataError, match=r"1 of 2 ids have no features, e.g. 'x'"):
        store.index(["x", IDS[0]])
    store.path.write_bytes(store.path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"words.h5: not a whole feature store"):
        WordStore(store.path).take(np.array([0]))
    with pytest.raises(DataError, match=r"gone.h5: no such file"):
        WordStore(tmp_path / "gone.h5").take(np.array([0]))
