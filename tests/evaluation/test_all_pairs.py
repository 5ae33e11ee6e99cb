"""All pairs at once against the test of one pair after the other."""

import numpy as np
import pytest

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import paired_test, retrieval_ranks
from polymatch.evaluation.all_pairs import all_paired_tests
from polymatch.evaluation.query_ranks import DIRECTIONS

ITEMS = [f"item {row}" for row in range(40)]
CAPTIONS = [item for item in ITEMS for _ in range(2)]


def ranks_of(signal, seed):
    random = np.random.default_rng(seed)
    similarity = random.standard_normal((len(ITEMS), len(CAPTIONS)))
    similarity[np.repeat(np.arange(40), 2), np.arange(80)] += signal
    return retrieval_ranks(similarity, ITEMS, CAPTIONS)


RANKS = [ranks_of(signal, seed) for seed, signal in enumerate((0.5, 1.0, 2.5, 2.5))]


def pairs_of(methods, resamples=2000, **others):
    values = {
        each: np.stack(
            [sum(100.0 * ranks.hits(each, k) for k in (1, 5, 10)) for ranks in methods], axis=1
        )
        for each in DIRECTIONS
    }
    clusters = {each: methods[0].clusters(each) for each in DIRECTIONS}
    return all_paired_tests(values, clusters, resamples, **others)


def test_differences_and_intervals_are_those_of_each_pair_alone():
    found = pairs_of(RANKS)
    for a, one in enumerate(RANKS):
        for b, other in enumerate(RANKS):
            alone = paired_test(one, other, resamples=2000)
            assert found.difference[a, b] == pytest.approx(alone.difference, abs=1e-9)
            assert (found.low[a, b], found.high[a, b]) == pytest.approx(alone.interval, abs=1e-9)
            # other sign flips: five standard errors
            error = 5 * np.sqrt(alone.p_value * (1 - alone.p_value) / 2000) + 1 / 2000
            assert abs(found.p_value[a, b] - alone.p_value) <= error


def test_a_pair_turned_round_is_the_same_with_the_other_sign():
    found = pairs_of(RANKS)
    assert np.array_equal(found.difference, -found.difference.T)
    assert np.array_equal(found.low, -found.high.T)
    assert np.array_equal(found.p_value, found.p_value.T)
    assert (np.diag(found.p_value) == 1).all() and (np.diag(found.difference) == 0).all()


def test_another_seed_draws_other_flips():
    one, same, other = (pairs_of(RANKS, 200, seed=seed).p_value for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_values_of_other_queries_than_the_items_are_refused():
    values = {"t2v": np.zeros((3, 2)), "v2t": np.zeros((2, 2))}
    with pytest.raises(DataError, match="t2v: 3 queries, but items of 2"):
        all_paired_tests(values, {"t2v": ["a", "b"], "v2t": ["a", "b"]})
    with pytest.raises(NumericsError, match="resamples is 0, expected 1 or more"):
        pairs_of(RANKS, 0)
