"""Average semantic precision against its definition, tie for tie, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import average_semantic_precision, blocks
from polymatch.evaluation.asp import semantic_precision_per_query


def possible_ranks(values):
    """Ranks that each candidate may have, under some order of the ties."""
    return [
        np.arange((values > own).sum() + 1, (values >= own).sum() + 1, dtype=float)
        for own in values
    ]


def slow(similarity, semantic):
    """Percentages of the rows: the mean over all pairs of ranks that a candidate may have."""
    found = []
    for scores, meanings in zip(similarity, semantic, strict=True):
        ranks = zip(possible_ranks(scores), possible_ranks(meanings), strict=True)
        ratios = [(np.minimum.outer(r, s) / np.maximum.outer(r, s)).mean() for r, s in ranks]
        found.append(100 * np.mean(ratios))
    return found


def drawn(random, kind, shape):
    spread = random.standard_normal(shape)
    return {
        "spread": spread,
        "levels": random.integers(0, 3, shape),
        "mostly zero": np.where(random.random(shape) < 0.8, 0, random.random(shape).round(1)),
        "of both signs": np.where(random.random(shape) < 0.8, 0, spread.round(1)),
        "few zeros": np.where(random.random(shape) < 0.2, 0, random.random(shape)),
        "constant": np.zeros(shape),
    }[kind]


KINDS = ["spread", "levels", "mostly zero", "of both signs", "few zeros", "constant"]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
    st.tuples(st.integers(1, 6), st.integers(1, 25)),
)
def test_it_is_the_mean_over_every_order_of_the_ties(seed, kind, meaning, shape):
    random = np.random.default_rng(seed)
    similarity, semantic = drawn(random, kind, shape), drawn(random, meaning, shape).astype(float)
    expected = slow(similarity, semantic), slow(similarity.T, semantic.T)
    for given_as in (semantic, sparse.csr_array(semantic), torch.from_numpy(semantic)):
        found = semantic_precision_per_query(similarity, given_as)
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(values, wanted, rtol=1e-9)


def test_blocks_threads_and_types_change_nothing(monkeypatch):
    random = np.random.default_rng(1)
    similarity = random.standard_normal((40, 300)).astype(np.float32)
    semantic = drawn(random, "mostly zero", (40, 300)).astype(np.float32)
    plain = semantic_precision_per_query(similarity, semantic, threads=1)
    monkeypatch.setattr(blocks, "_BLOCK_ELEMENTS", 700)
    for scores in (similarity, np.asfortranarray(similarity), torch.from_numpy(similarity)):
        found = semantic_precision_per_query(scores, sparse.coo_array(semantic), threads=3)
        for values, wanted in zip(found, plain, strict=True):
            np.testing.assert_allclose(values, wanted, rtol=1e-12)


def test_groups_of_thousands_are_exact_where_the_sum_over_all_pairs_is_known():
    """Of two independent random orders of n the mean is (n + 1) / (2 n): F(n, n) / n^2."""
    n = 3000
    v2t, t2v = average_semantic_precision(np.zeros((2, n)), np.zeros((2, n)))
    assert v2t == pytest.approx(100 * (n + 1) / (2 * n), rel=1e-12)
    assert t2v == pytest.approx(100 * 3 / 4, rel=1e-12)


def test_the_semantic_order_itself_has_all_and_its_reverse_less_than_chance():
    semantic = np.random.default_rng(2).random((3, 200))
    assert average_semantic_precision(5 * semantic, semantic) == (100.0, 100.0)
    assert average_semantic_precision(-semantic, semantic)[0] < 50


def test_only_zeros_beside_what_is_stored_are_told_from_the_others():
    stored = sparse.csr_array(np.array([[0.0, 0.5, 0.0, 0.0]]))
    stored.data[:] = 0.0  # a zero that is written down is a zero
    similarity = np.array([[0.4, 0.3, 0.2, 0.1]])
    found = average_semantic_precision(similarity, stored)
    assert found == pytest.approx(average_semantic_precision(similarity, np.zeros((1, 4))))


def test_matrices_that_do_not_fit_are_refused():
    message = r"similarity has shape \(2, 3\) and the semantic similarity \(3, 2\); both are items"
    with pytest.raises(DataError, match=message):
        average_semantic_precision(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(DataError, match="at least one of each"):
        average_semantic_precision(np.zeros((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_is_named(bad):
    good, wrong = np.ones((3, 4)), np.ones((3, 4))
    wrong[1, 2] = bad
    place = r"holds a NaN or infinite value at item 1, caption 2 \(counted from 0\); look for"
    with pytest.raises(NumericsError, match=f"^similarity {place}"):
        average_semantic_precision(wrong, good)
    with pytest.raises(NumericsError, match=f"^the semantic similarity {place}"):
        average_semantic_precision(good, wrong)
    few = sparse.csr_array(np.where(np.isfinite(wrong), 0, wrong))
    with pytest.raises(NumericsError, match=f"^the semantic similarity {place[:-10]}"):
        average_semantic_precision(good, few)


def test_finite_numbers_of_any_size_are_taken():
    large = np.array([[3e38, -3e38, 1.0]], np.float32)
    assert average_semantic_precision(large, large) == (100.0, 100.0)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@given(seed=st.integers(0, 10_000))
def test_a_figure_is_the_same_to_the_bit_whatever_else_is_scored(form, seed):
    random = np.random.default_rng(seed)
    similarity = random.random((6, 30)).round(2).astype(np.float32)
    # Rows with many and with few zeros, which are ranked in different ways.
    zero = random.random((6, 30)) < random.random((6, 1))
    semantic = np.where(zero, 0, random.random((6, 30)).round(2))
    v2t, t2v = semantic_precision_per_query(similarity, form(semantic), threads=1)
    for row in range(6):
        part = slice(row, row + 1)
        alone, _ = semantic_precision_per_query(similarity[part], form(semantic[part]), threads=1)
        assert alone[0] == v2t[row]
    half, _ = semantic_precision_per_query(similarity[2:5], form(semantic[2:5]), threads=2)
    assert half.tolist() == v2t[2:5].tolist()
    columns = slice(7, 19)
    _, some = semantic_precision_per_query(
        similarity[:, columns], form(semantic[:, columns]), threads=1
    )
    assert some.tolist() == t2v[columns].tolist()
