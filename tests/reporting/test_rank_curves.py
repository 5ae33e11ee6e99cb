"""R@K over K and histograms of ranks: against sorting, against the tables' figures, and ties."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.tables import check_table, load_schema
from polymatch.errors import DataError
from polymatch.evaluation import RetrievalRanks, bootstrap_intervals, metrics_of, retrieval_ranks
from polymatch.reporting.rank_curves import HIGHEST, bin_ends, rank_histogram, recall_curve


def random_ranks(seed, items=150, captions_each=2, tied=False):
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(items), captions_each)
    similarity = random.normal(size=(items, len(owner)))
    similarity[owner, np.arange(len(owner))] += 1.5
    if tied:
        similarity = similarity.round()
    return similarity, owner, retrieval_ranks(similarity, list(range(items)), owner.tolist())


def ranks_by_sorting(similarity, owner):
    """Rank of the best right answer of every query, where nothing is tied."""
    t2v = [1 + int(np.sum(similarity[:, m] > similarity[item, m])) for m, item in enumerate(owner)]
    v2t = [
        1 + int(np.argmax(owner[np.argsort(-similarity[n])] == n)) for n in range(len(similarity))
    ]
    return {"t2v": np.array(t2v), "v2t": np.array(v2t)}


def test_a_curve_is_the_share_of_queries_that_sorting_finds_by_each_k():
    similarity, owner, ranks = random_ranks(0)
    curve = recall_curve(ranks, resamples=100)
    check_table(curve, load_schema("recall_curve"), "curve")
    for direction, found in ranks_by_sorting(similarity, owner).items():
        own = curve[curve["direction"] == direction]
        assert own["k"].tolist() == list(range(1, HIGHEST + 1))
        expected = [100 * np.mean(found <= k) for k in own["k"]]
        np.testing.assert_allclose(own["recall"], expected)


def test_a_histogram_counts_the_queries_that_sorting_puts_in_each_bin():
    similarity, owner, ranks = random_ranks(1)
    histogram = rank_histogram(ranks)
    check_table(histogram, load_schema("rank_histogram"), "histogram")
    for direction, found in ranks_by_sorting(similarity, owner).items():
        own = histogram[histogram["direction"] == direction]
        edges = [*own["rank_from"], own["rank_to"].iloc[-1] + 1]
        np.testing.assert_allclose(own["queries"], np.histogram(found, edges)[0], atol=1e-9)
        assert own["rank_to"].iloc[-1] == {"t2v": 150, "v2t": 300}[direction]


def test_recalls_and_bounds_at_1_5_and_10_are_those_of_the_tables():
    runs = [random_ranks(seed)[2] for seed in (2, 3)]
    for given_ranks in (runs[0], runs):
        curve = recall_curve(given_ranks, resamples=200, seed=7).set_index(["direction", "k"])
        bounds = bootstrap_intervals(given_ranks, resamples=200, seed=7)
        each = [given_ranks] if isinstance(given_ranks, RetrievalRanks) else given_ranks
        for direction, k in itertools.product(("t2v", "v2t"), (1, 5, 10)):
            row, name = curve.loc[(direction, k)], f"{direction}_r{k}"
            mean = np.mean([metrics_of(run)[name] for run in each])
            assert row["recall"] == pytest.approx(mean)
            assert (row["recall_lo"], row["recall_hi"]) == pytest.approx(bounds[name])


def test_a_scorer_that_knows_nothing_has_the_recall_of_chance():
    owner = np.repeat(np.arange(30), 3)
    ranks = retrieval_ranks(np.zeros((30, 90)), list(range(30)), owner.tolist())
    curve = recall_curve(ranks, resamples=100)
    np.testing.assert_allclose(curve["recall"], curve["chance"])
    t2v = curve[curve["direction"] == "t2v"]
    np.testing.assert_allclose(t2v["chance"], 100 * t2v["k"] / 30)
    v2t = curve[curve["direction"] == "v2t"].set_index("k")
    assert v2t.loc[1, "chance"] == pytest.approx(100 * 3 / 90)
    assert v2t.loc[2, "chance"] == pytest.approx(100 * (1 - 87 * 86 / (90 * 89)))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(0, 10**6))
def test_whatever_is_tied_curves_rise_to_all_queries_and_bins_add_up(items, each, seed):
    _, _, ranks = random_ranks(seed, items, each, tied=True)
    curve, histogram = recall_curve(ranks, resamples=100), rank_histogram(ranks)
    for name, table in (("recall_curve", curve), ("rank_histogram", histogram)):
        check_table(table, load_schema(name), name)
    for direction in ("t2v", "v2t"):
        own = curve[curve["direction"] == direction].set_index("k")
        bins = histogram[histogram["direction"] == direction].set_index("rank_to")
        assert (np.diff(own["recall"]) >= -1e-9).all()
        assert (own["recall_lo"] <= own["recall_hi"]).all()
        assert bins["share"].sum() == pytest.approx(100)
        assert bins["queries"].sum() == pytest.approx(len(ranks.of(direction).better))
        for last in set(bins.index) & set(own.index):
            assert bins.loc[:last, "share"].sum() == pytest.approx(own.loc[last, "recall"])


@given(st.integers(1, 10**6))
def test_bins_end_at_every_recall_of_the_tables_and_at_the_last_candidate(candidates):
    ends = bin_ends(candidates)
    assert ends == sorted(set(ends)) and ends[-1] == candidates
    assert {k for k in (1, 5, 10) if k <= candidates} <= set(ends)


def test_ranks_of_one_direction_or_none_are_an_error(tmp_path):
    with pytest.raises(DataError, match="no ranks of both directions to draw; evaluate the run"):
        recall_curve([])
    _, _, ranks = random_ranks(4, items=5)
    empty = ranks.t2v.taken(np.array([], int))
    with pytest.raises(DataError, match="no ranks of both directions to draw; evaluate the run"):
        rank_histogram(RetrievalRanks(t2v=empty, v2t=ranks.v2t))


def test_folds_are_no_part_of_a_curve_over_the_whole_gallery():
    _, _, ranks = random_ranks(5, items=20)
    within = RetrievalRanks(ranks.t2v, ranks.v2t, folds=random_ranks(6, items=10)[2])
    assert json.loads(recall_curve(within).to_json()) == json.loads(recall_curve(ranks).to_json())
