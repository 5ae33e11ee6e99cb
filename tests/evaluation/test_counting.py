"""One-pass counting against comparisons written out, for every layout, type and block size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation.counting import (
    Thresholds,
    count_candidates,
    pair_values,
    sorted_thresholds,
)


def _problem(n_items: int, n_captions: int, seed: int, levels: int = 6):
    """Quantised similarities (many ties) and 1 to 4 positives a caption."""
    random = np.random.default_rng(seed)
    similarity = random.integers(0, levels, (n_items, n_captions)).astype(np.float32)
    positive = random.random((n_items, n_captions)) < 1.5 / n_items
    positive[random.integers(0, n_items, n_captions), np.arange(n_captions)] = True
    rows, columns = np.nonzero(positive)
    return similarity, rows, columns


def _count(similarity, rows, columns, **options):
    n_items, n_captions = similarity.shape
    values = pair_values(similarity, rows, columns)
    return count_candidates(
        similarity,
        sorted_thresholds(rows, values, n_items, n_captions),
        sorted_thresholds(columns, values, n_captions, n_items),
        **{"threads": 1, **options},
    )


def _count_slowly(similarity, rows, columns):
    """Pair by pair, queries in order and each query's best positive first."""
    answers = []
    for query_of, line in ((rows, similarity), (columns, similarity.T)):
        above, equal = [], []
        for query in range(len(line)):
            for value in sorted(similarity[rows, columns][query_of == query], reverse=True):
                above.append(sum(1 for other in line[query] if other > value))
                equal.append(sum(1 for other in line[query] if other == value))
        answers.append((above, equal))
    return answers


def _same(counts, expected):
    for found, (above, equal) in zip(counts, expected, strict=True):
        np.testing.assert_array_equal(found.above, above)
        np.testing.assert_array_equal(found.equal, equal)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (13, 40), (60, 23)])
@pytest.mark.parametrize("threads", [1, 3])
def test_counts_are_those_of_a_loop(shape, threads):
    similarity, rows, columns = _problem(*shape, seed=sum(shape))
    expected = _count_slowly(similarity, rows, columns)
    _same(_count(similarity, rows, columns, threads=threads), expected)


@pytest.mark.parametrize("block_elements", [1, 50, 333, 10**7])
def test_block_size_changes_nothing(block_elements):
    similarity, rows, columns = _problem(70, 45, seed=1)
    expected = _count_slowly(similarity, rows, columns)
    _same(_count(similarity, rows, columns, block_elements=block_elements), expected)


def test_byte_counters_do_not_overflow():
    # A constant matrix sets every comparison: more than 255 rows, and words, in one block.
    similarity = np.zeros((700, 2100), np.float32)
    columns = np.arange(2100)
    by_row, by_column = _count(similarity, columns % 700, columns, block_elements=10**8)
    assert (by_row.equal == 2100).all() and (by_column.equal == 700).all()
    assert not by_row.above.any() and not by_column.above.any()


def test_matrices_wider_than_a_block_are_cut_along_columns():
    random = np.random.default_rng(3)
    similarity = random.integers(0, 50, (4, 70_001)).astype(np.float32)
    columns = np.array([0, 33_000, 69_999, 70_000])
    rows = np.array([2, 0, 3, 1])
    by_row, by_column = _count(similarity, rows, columns, threads=2)
    at = similarity[rows, columns]
    np.testing.assert_array_equal(by_column.above, (similarity[:, columns] > at).sum(axis=0))
    np.testing.assert_array_equal(by_column.equal, (similarity[:, columns] == at).sum(axis=0))
    at = at[np.argsort(rows)][:, None]
    np.testing.assert_array_equal(by_row.above, (similarity > at).sum(axis=1))
    np.testing.assert_array_equal(by_row.equal, (similarity == at).sum(axis=1))


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.float16),
        lambda x: x.astype(np.int32),
        torch.from_numpy,
        lambda x: torch.from_numpy(x).T.contiguous().T,
        lambda x: torch.from_numpy(x).to(torch.bfloat16),
        lambda x: torch.from_numpy(x).double().requires_grad_(),
    ],
)
def test_layout_and_type_change_nothing(layout):
    similarity, rows, columns = _problem(31, 52, seed=2)
    _same(_count(layout(similarity), rows, columns), _count_slowly(similarity, rows, columns))


def test_neighbouring_floats_are_not_ties():
    up = np.nextafter(np.float32(0.3), np.float32(1))
    similarity = np.array([[0.3, up]], np.float32)
    by_row, _ = _count(similarity, np.array([0]), np.array([0]))
    assert by_row.above.tolist() == [1] and by_row.equal.tolist() == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, torch.tensor])
def test_non_finite_similarity_is_named(bad, layout):
    similarity = np.zeros((40, 30), np.float32)
    similarity[7, 5] = similarity[7, 21] = similarity[33, 2] = bad
    diagonal = np.arange(30)
    with pytest.raises(NumericsError, match=r"3 NaN or infinite.*item 7, caption 5 \(counted"):
        _count(layout(similarity), diagonal, diagonal, threads=2, block_elements=100)


def test_large_finite_values_are_accepted():
    # Their sum overflows float32, which must not be taken for an infinite entry.
    similarity = np.full((4, 4), 3e38, np.float32)
    by_row, _ = _count(similarity, np.arange(4), np.arange(4))
    assert by_row.equal.tolist() == [4, 4, 4, 4]


def test_similarity_must_hold_real_numbers():
    with pytest.raises(DataError, match="complex128, expected real numbers"):
        pair_values(np.zeros((2, 2), complex), np.array([0]), np.array([0]))


def test_thresholds_are_grouped_and_sorted():
    query = np.array([2, 0, 2, 2])
    found = sorted_thresholds(query, np.array([0.1, 0.5, 0.3, 0.2]), n_queries=3, n_candidates=9)
    assert isinstance(found, Thresholds)
    assert found.start.tolist() == [0, 1, 1, 4]
    assert found.number.tolist() == [1, 0, 3]
    assert found.value.tolist() == [0.5, 0.3, 0.2, 0.1]
