"""Semantic similarity against a slow form that takes every word, caption and item by itself."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.semantics import Semantics
from polymatch.errors import DataError

WORDS = ["red", "heart", "tree", "dog", "a", "of", "blue"]
LIBRARY = Path(__file__).parents[2] / "workflow"


def slow_form(wording, item_rows, texts):
    """[items, texts], by the definition: every caption is a document."""
    split = [re.findall(r"\b\w\w+\b", text.lower()) for text in wording]
    documents = [split[text] for text in texts]
    vectors = []
    for words in split:
        vector = {}
        for word in set(words):
            named = sum(word in document for document in documents)
            idf = math.log((1 + len(documents)) / (1 + named)) + 1
            vector[word] = words.count(word) * idf
        length = math.sqrt(sum(value**2 for value in vector.values())) or 1.0
        vectors.append({word: value / length for word, value in vector.items()})
    result = np.zeros((max(item_rows) + 1, len(wording)))
    for item in set(item_rows):
        own = [text for text, row in zip(texts, item_rows, strict=True) if row == item]
        for text, vector in enumerate(vectors):
            cosines = [
                sum(value * vectors[other].get(word, 0.0) for word, value in vector.items())
                for other in own
            ]
            result[item, text] = sum(cosines) / len(cosines)
    return result


captions = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


@given(
    st.lists(captions, min_size=1, max_size=6, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=12),
)
def test_equals_the_slow_form(wording, pairs):
    """Texts repeat, also of one item; items have any number of captions, or none."""
    wording = ["red tree", *wording]
    item_rows = [item for item, _ in pairs]
    texts = [text % len(wording) for _, text in pairs]
    semantics = Semantics(wording, item_rows, texts)
    expected = slow_form(wording, item_rows, texts)
    matrix = semantics.matrix()
    assert matrix.format == "csr" and matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.toarray(), expected, atol=1e-6)
    rows, columns = torch.tensor([*item_rows, item_rows[0]]), torch.arange(len(wording)).flip(0)
    found = semantics.between(rows, columns)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected[rows][:, columns], atol=1e-6)


def test_an_item_is_most_like_its_own_caption():
    wording = [f"{word} number{i}" for i, word in enumerate(WORDS)]
    found = Semantics(wording, np.arange(7), np.arange(7)).matrix().toarray()
    np.testing.assert_allclose(found.diagonal(), 1, atol=1e-6)
    assert (found >= 0).all() and (found.argmax(1) == np.arange(7)).all()


def test_arrays_and_tensors_are_the_same():
    wording, items, texts = ["red heart", "blue heart"], [0, 0, 1], [0, 1, 1]
    of_lists = Semantics(wording, items, texts).matrix().toarray()
    of_tensors = Semantics(wording, torch.tensor(items), torch.tensor(texts)).matrix().toarray()
    assert np.array_equal(of_lists, of_tensors)


def test_no_words_to_compare():
    message = (
        r"none of 2 texts has a word of two letters or more, so there is no semantic similarity; "
        r"train without the DAA loss \(`loss.daa_weight: 0`\)"
    )
    with pytest.raises(DataError, match=message):
        Semantics(["a", "♥"], [0, 1], [0, 1]).between(torch.tensor([0]), torch.tensor([0]))


def test_neither_torch_nor_scikit_learn_before_it_is_used():
    code = (
        "import sys; from polymatch.data.semantics import Semantics; "
        "semantics = Semantics(['red tree'], [0], [0]); "
        "assert not {'torch', 'sklearn'} & set(sys.modules); "
        "semantics.matrix(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=LIBRARY, check=True)
