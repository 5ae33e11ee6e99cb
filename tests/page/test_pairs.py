"""Any two rows: counts and lists against the comparison of two runs, one after the other."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.captions import Queries
from polymatch.evaluation import retrieval_ranks
from polymatch.evaluation.query_ranks import DIRECTIONS
from polymatch.reporting.comparison import TestSet, compared
from polymatch.reporting.page.board import RowRanks
from polymatch.reporting.page.pairs import (
    LISTED,
    changes,
    listed_each,
    pairs_of,
    queries_in,
)
from polymatch.settings.stages import EvaluationSettings

ITEMS = [f"item {row}" for row in range(20)]
CAPTIONS = [item for item in ITEMS for _ in range(2)]
TEXTS = [f"text {row}" for row in range(40)]
SETTINGS = EvaluationSettings(permutations=500)
TEST_SET = TestSet("own", ITEMS, Queries(TEXTS, TEXTS, [(item,) for item in CAPTIONS]))


def runs_of(signal, seeds):
    for seed in seeds:
        random = np.random.default_rng([seed, int(10 * signal)])
        similarity = random.standard_normal((20, 40)).round(1)  # with ties
        similarity[np.repeat(np.arange(20), 2), np.arange(40)] += signal
        yield retrieval_ranks(similarity, ITEMS, CAPTIONS)


RUNS = {
    ("a", "mean"): list(runs_of(0.5, [0, 1])),
    ("b", "mean"): list(runs_of(1.5, [0])),
    ("b", "mc"): list(runs_of(2.0, [0, 1, 2])),
}


def row_of(runs):
    hits = {
        d: np.mean([sum(100 * r.hits(d, k) for k in (1, 5, 10)) for r in runs], axis=0)
        for d in DIRECTIONS
    }
    ranks = {d: np.mean([r.expected_rank(d) for r in runs], axis=0) for d in DIRECTIONS}
    return RowRanks(runs[0], ranks, hits)


ROWS = {key: row_of(runs) for key, runs in RUNS.items()}


@pytest.mark.parametrize("listed", [3, 50])
def test_pairs_are_what_comparing_them_says(listed):
    found = pairs_of(ROWS, SETTINGS, listed)
    assert found["rows"] == ["a/mean", "b/mean", "b/mc"]
    for (one, other), pair in zip(combinations(RUNS, 2), found["pairs"], strict=True):
        expected = compared(RUNS[one], RUNS[other], TEST_SET, SETTINGS, metrics=())
        test = expected.headline.test
        assert pair[:3] == pytest.approx([test.difference, test.low, test.high], rel=1e-4)
        assert abs(pair[3] - test.p_value) < 0.12  # 500 other flips
        for direction in DIRECTIONS:
            counts = expected.counts(direction)
            assert pair[4][direction][:3] == [counts["won"], counts["lost"], counts["same"]]
            table = expected.queries[expected.queries["direction"] == direction]
            for outcome, flat in zip(("won", "lost"), pair[4][direction][3:], strict=True):
                top = table[table["outcome"] == outcome].head(listed)
                ids = [int(str(q).split()[1]) for q in top["query"]]
                assert flat[::3] == ids
                assert flat[1::3] == pytest.approx(top["rank_a"].tolist(), rel=1e-3)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1), st.integers(0, 4))
def test_queries_are_counted_once_and_the_most_changed_are_listed(ranks, listed):
    a, b = np.array(ranks, float).T
    won, lost, same, top_won, top_lost = changes(a, b, listed)
    assert won + lost + same == len(ranks)
    assert len(top_won) == 3 * min(won, listed) and len(top_lost) == 3 * min(lost, listed)
    gains = [abs(1 / ranks[q][0] - 1 / ranks[q][1]) for q in top_won[::3]]
    assert gains == sorted(gains, reverse=True)
    left = [abs(1 / x - 1 / y) for q, (x, y) in enumerate(ranks) if x < y and q not in top_won[::3]]
    assert not gains or len(gains) < listed or max(left, default=0) <= min(gains) + 1e-12


@given(st.integers(2, 300), st.integers(1, 50))
def test_all_pairs_together_list_no_more_than_there_is_room_for(rows, changed):
    listed = listed_each(rows, changed)
    assert 0 <= listed <= changed
    assert listed * 2 * len(DIRECTIONS) * rows * (rows - 1) / 2 <= LISTED


def test_queries_that_a_pair_lists_are_found():
    found = pairs_of(ROWS, SETTINGS, 2)
    listed = {q for pair in found["pairs"] for flat in pair[4]["t2v"][3:] for q in flat[::3]}
    assert queries_in(found, "t2v") == listed != set()
