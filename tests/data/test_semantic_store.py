"""Semantic similarity on disk: the same back, for any part of it, and damaged files."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from polymatch.data.semantic_store import read_semantics, write_semantics
from polymatch.errors import DataError

MATRIX = np.array([[0.5, 0.0, 0.25], [0.0, 0.0, 1.0]], np.float32)
ITEMS, TEXTS = ["a", "b"], ["Red heart", "tree", "blue  Heart"]


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "semantic.npz"
    write_semantics(path, sparse.csr_array(MATRIX), ITEMS, TEXTS)
    return path


def test_it_comes_back_whole_and_in_parts(stored):
    whole = read_semantics(stored, ITEMS, TEXTS)
    np.testing.assert_array_equal(whole.toarray(), MATRIX)
    assert whole.dtype == np.float32
    part = read_semantics(stored, ["b", "a"], ["BLUE heart", "red heart"])
    np.testing.assert_array_equal(part.toarray(), MATRIX[[1, 0]][:, [2, 0]])


def test_what_is_not_there_is_named(stored, tmp_path):
    with pytest.raises(DataError, match=r"lacks 1 item\(s\), the first is 'c'; run its stage agai"):
        read_semantics(stored, ["a", "c"], TEXTS)
    with pytest.raises(DataError, match=r"lacks 2 text\(s\), the first is 'dog'; run its stage"):
        read_semantics(stored, ITEMS, ["dog", "cat"])
    with pytest.raises(DataError, match=r"gone\.npz: cannot be read .*; run its stage again"):
        read_semantics(tmp_path / "gone.npz", ITEMS, TEXTS)
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(DataError, match=r"semantic\.npz: cannot be read .*; run its stage again"):
        read_semantics(stored, ITEMS, TEXTS)
