"""Word vectors: taken where they are, drawn alike where not, and read again by their numbers."""

import numpy as np
import pandas as pd
import pytest

from polymatch.data.features import FeatureStore
from polymatch.data.tables import write_table
from polymatch.data.vocabulary import PLAIN_SPECIAL, SPECIAL, Vocabulary
from polymatch.data.word_vectors import (
    complete,
    drawn_table,
    own_words,
    word2vec,
    write_word_vectors,
)
from polymatch.errors import DataError

WORDS = Vocabulary([*PLAIN_SPECIAL, "dog", "cat", "zebra", "sun"], style="plain")
NAMES = ["sun", "dog", "moon", "cat"]
ROWS = np.array([[1, 2, 3], [4, 5, 7], [0, 0, 0], [-2, 6, 5]], dtype="<f4")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "word2vec"
    path.mkdir()
    ROWS.tofile(path / "feature.bin")
    (path / "id.txt").write_text(" ".join(NAMES))
    (path / "shape.txt").write_text("4 3")
    return path


def test_a_folder_gives_what_it_has(folder):
    assert own_words(WORDS) == ["dog", "cat", "zebra", "sun"]
    found = word2vec(folder, own_words(WORDS))
    np.testing.assert_array_equal(found, ROWS[[1, 3, 2, 0]] * [[1], [1], [np.nan], [1]])


def test_each_word_has_its_own_row_and_pad_zeros(folder):
    vectors, drawn = complete(WORDS, word2vec(folder, own_words(WORDS)))
    assert vectors.shape == (8, 3) and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[[4, 5, 7]], ROWS[[1, 3, 0]])
    assert not vectors[0].any() and np.isfinite(vectors).all()
    assert drawn == ["<s>", "</s>", "<unk>", "zebra"]
    again, _ = complete(WORDS, word2vec(folder, own_words(WORDS)))
    other, _ = complete(WORDS, word2vec(folder, own_words(WORDS)), seed=1)
    np.testing.assert_array_equal(vectors, again)
    assert (other[[1, 2, 3, 6]] != vectors[[1, 2, 3, 6]]).all()


def test_what_is_drawn_is_like_what_is_found():
    words = Vocabulary([*SPECIAL, *map(str, range(8000))])
    found = np.random.default_rng(3).normal([0, 5, -1], [0.1, 2, 1], (8000, 3)).astype("f4")
    found[::2] = np.nan
    vectors, drawn = complete(words, found)
    assert len(drawn) == 4003
    rows = vectors[[words.words.index(word) for word in drawn[3:100]]]
    assert (rows != 0).all()
    made = vectors[4:][::2]
    np.testing.assert_allclose(made.mean(axis=0), [0, 5, -1], atol=0.1)
    np.testing.assert_allclose(made.std(axis=0), [0.1, 2, 1], rtol=0.05)


def test_no_words_in_common(folder):
    words = Vocabulary([*PLAIN_SPECIAL, "sun", "soleil", "chien"], style="plain")
    message = (
        r"1 of the vocabulary's 3 words have a vector; give vectors of the captions' language "
        r"\(`words.vectors`\)"
    )
    with pytest.raises(DataError, match=message):
        complete(words, word2vec(folder, own_words(words)))


def test_broken_folders(folder):
    ROWS[:, :2].copy().tofile(folder / "feature.bin")
    with pytest.raises(DataError, match=r"feature.bin: 32 bytes.* but shape.txt says 4 rows of 3"):
        word2vec(folder, ["sun"])
    broken = ROWS.copy()
    broken[3, 1] = np.inf
    broken.tofile(folder / "feature.bin")
    with pytest.raises(DataError, match=r"the vector of 'cat' holds NaN or infinity; copy it agai"):
        word2vec(folder, ["sun", "cat"])
    (folder / "id.txt").unlink()
    with pytest.raises(DataError, match=r"id.txt: no such file; a BigFile folder holds feature.b"):
        word2vec(folder, ["sun"])


def test_the_store_is_in_the_order_of_numbers(folder, tmp_path):
    vectors, drawn = complete(WORDS, word2vec(folder, own_words(WORDS)))
    about = {"encoder": "word2vec", "dataset": "toy", "command": "test"}
    write_word_vectors(tmp_path / "w.h5", WORDS, vectors, about)
    store = FeatureStore(tmp_path / "w.h5")
    assert store.ids == list(WORDS.words) and store.attributes["revision"] == WORDS.hash
    np.testing.assert_array_equal(store.read(), vectors)
    write_table(drawn_table(WORDS, drawn), tmp_path / "u.csv", "unknown_vectors")
    table = pd.read_csv(tmp_path / "u.csv")
    assert table["word"].tolist() == drawn and table["number"].tolist() == [1, 2, 3, 6]
