"""Paired tests: exact enumeration, planted and absent differences, Holm by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import (
    RetrievalRanks,
    holm,
    metrics_of,
    paired_test,
    retrieval_ranks,
    significance,
)

ITEM_OF = np.repeat(np.arange(60), 2)


def _run(strength: float, seed: int) -> RetrievalRanks:
    random = np.random.default_rng(seed)
    similarity = random.standard_normal((60, 120))
    similarity[ITEM_OF, np.arange(120)] += strength
    return retrieval_ranks(similarity, np.arange(60), ITEM_OF)


def test_a_method_does_not_differ_from_itself():
    run = _run(1.0, 0)
    for metric in ("rsum", "t2v_r1", "v2t_r10", "t2v_meanr", "v2t_map"):
        test = paired_test(run, run, metric)
        assert (test.difference, test.interval, test.p_value) == (0.0, (0.0, 0.0), 1.0)
        assert test.n_clusters == 60


@pytest.mark.parametrize("metric", ["rsum", "t2v_r5", "t2v_meanr", "v2t_meanr", "v2t_map"])
def test_difference_is_that_of_the_metrics(metric):
    a, b = _run(1.4, 1), _run(1.0, 2)
    test = paired_test(a, b, metric, resamples=500)
    assert test.difference == pytest.approx(metrics_of(a)[metric] - metrics_of(b)[metric])
    assert test.low <= test.difference <= test.high
    turned = paired_test(b, a, metric, resamples=500)
    assert turned.difference == pytest.approx(-test.difference)
    assert turned.p_value == test.p_value


def test_a_planted_difference_is_found():
    strong, weak = _run(2.5, 3), _run(1.0, 4)
    test = paired_test(strong, weak)
    assert test.p_value == pytest.approx(1 / 10001)
    assert 0.0 < test.low < test.difference < test.high


def test_p_value_is_that_of_all_sign_flips():
    a = np.array([1, 3, 12, 2, 7, 4, 1, 30, 5, 2])
    b = np.array([2, 2, 15, 9, 7, 6, 4, 28, 9, 3])
    clusters = np.array([0, 0, 1, 2, 2, 3, 4, 5, 6, 7])
    sums = np.bincount(clusters, a - b)
    outcomes = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=len(sums))]
    exact = np.mean(np.array(outcomes) >= abs(sums.sum()))
    found = paired_test(a, b, "meanr", resamples=40_000, clusters=clusters)
    assert found.p_value == pytest.approx(exact, abs=0.01)
    assert found.difference == pytest.approx(np.mean(a - b))
    assert (found.n_clusters, found.n_queries) == (8, 10)


def test_p_value_under_no_difference_is_uniform_when_items_are_swapped_whole():
    # The captions of an item share their difference; flipping captions instead of items would
    # call about a quarter of these significant.
    random = np.random.default_rng(7)
    clusters = np.repeat(np.arange(40), 4)
    by_item, by_caption = [], []
    for _ in range(300):
        shared = np.repeat(random.integers(-3, 4, 40), 4)
        a = 10 + shared + random.integers(0, 2, 160)
        b = 10 + random.integers(0, 2, 160)
        by_item.append(paired_test(a, b, "meanr", 200, clusters=clusters).p_value)
        by_caption.append(paired_test(a, b, "meanr", 200).p_value)
    assert 0.015 <= np.mean(np.array(by_item) <= 0.05) <= 0.095
    assert 0.4 <= np.mean(by_item) <= 0.6
    assert np.mean(np.array(by_caption) <= 0.05) > 0.15


def test_seeds_are_averaged_per_query_first():
    a, b = [_run(1.2, seed) for seed in (1, 2, 3)], [_run(1.0, seed) for seed in (4, 5, 6)]
    test = paired_test(a, b, "v2t_r5", resamples=300)
    means = [np.mean([metrics_of(run)["v2t_r5"] for run in runs]) for runs in (a, b)]
    assert test.difference == pytest.approx(means[0] - means[1])
    assert paired_test(a, a[::-1], "rsum", resamples=300).p_value == 1.0


def test_plain_ranks_give_what_retrieval_ranks_give():
    a, b = _run(1.4, 8), _run(1.0, 9)
    for metric in ("r5", "meanr"):
        full = paired_test(a, b, f"t2v_{metric}", resamples=400)
        plain = paired_test(
            a.expected_rank("t2v"), b.expected_rank("t2v"), metric, 400, clusters=ITEM_OF
        )
        assert plain.difference == pytest.approx(full.difference)
        assert plain.p_value == full.p_value
        np.testing.assert_allclose(plain.interval, full.interval)
    seeds = paired_test([[1, 9], [3, 9]], [[2, 9], [2, 9]], "rsum", resamples=50)
    assert seeds.difference == pytest.approx(25.0)  # R@1 of one of two seeds, one of two queries


def test_tests_from_files_are_those_from_memory(tmp_path):
    a, b = _run(1.4, 8), _run(1.0, 9)
    a.save(tmp_path / "a.parquet")
    loaded = RetrievalRanks.load(tmp_path / "a.parquet")
    assert paired_test(loaded, b, resamples=200) == paired_test(a, b, resamples=200)


def test_chunks_change_nothing(monkeypatch):
    a, b = _run(1.2, 8), _run(1.0, 9)
    whole = paired_test(a, b, resamples=300)
    monkeypatch.setattr(significance, "_CHUNK_ELEMENTS", 200)
    chunked = paired_test(a, b, resamples=300)
    assert (chunked.difference, chunked.p_value) == (whole.difference, whole.p_value)
    np.testing.assert_allclose(chunked.interval, whole.interval)


def test_different_queries_are_not_paired():
    a = _run(1.0, 0)
    similarity = np.random.default_rng(0).standard_normal((60, 120))
    other = retrieval_ranks(similarity, np.arange(60), ITEM_OF[::-1])
    with pytest.raises(DataError, match="differ in clusters of t2v"):
        paired_test(a, other)
    smaller = retrieval_ranks(similarity[:50, :100], np.arange(50), ITEM_OF[:100])
    with pytest.raises(DataError, match="differ in query_ids of t2v"):
        paired_test(a, smaller)
    with pytest.raises(DataError, match="ranks of 3 and of 2 queries"):
        paired_test([1, 2, 3], [1, 2], "r1")
    with pytest.raises(DataError, match="clusters holds 1 ids for 2 queries"):
        paired_test([1, 2], [1, 2], "r1", clusters=["a"])
    with pytest.raises(DataError, match="RetrievalRanks with RetrievalRanks"):
        paired_test(a, [1, 2], "r1")
    with pytest.raises(DataError, match="clusters are for plain ranks"):
        paired_test(a, a, clusters=ITEM_OF)
    with pytest.raises(DataError, match="no ranks"):
        paired_test([], a)


@pytest.mark.parametrize("ranks", [[0, 1, 2], [1.0, np.nan], [[[1.0]]]])
def test_plain_ranks_start_at_one(ranks):
    with pytest.raises(DataError, match="counted from 1"):
        paired_test(ranks, ranks, "r1")


@pytest.mark.parametrize("metric", ["r1", "v2t_medr", "t2v_r0", "x_r1", "t2v_rsum ", ""])
def test_unknown_metrics_are_named(metric):
    run = _run(1.0, 0)
    with pytest.raises(NumericsError, match=r"cannot be tested; choose"):
        paired_test(run, run, metric)
    with pytest.raises(NumericsError, match=r"choose r<k>, meanr or rsum"):
        paired_test([1, 2], [1, 2], "medr")


def test_holm_by_hand():
    # Sorted 0.005 0.01 0.03 0.04 times 4 3 2 1 = 0.02 0.03 0.06 0.04, then never decreasing.
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([]).shape == (0,)
    for bad in ([0.5, 1.5], [np.nan], [-0.1]):
        with pytest.raises(NumericsError, match="numbers from 0 to 1"):
            holm(bad)
