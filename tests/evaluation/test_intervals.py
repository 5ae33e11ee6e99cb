"""The bootstrap against drawing items and writing their queries out."""

from __future__ import annotations

import numpy as np
import pytest

from polymatch.errors import NumericsError
from polymatch.evaluation import bootstrap_intervals, intervals, metrics_of, retrieval_ranks
from polymatch.evaluation.intervals import recall_intervals, resampled_weights


def _ranks(n_items: int, n_captions: int, seed: int = 0):
    random = np.random.default_rng(seed)
    item_of = np.concatenate(
        [np.arange(n_items), random.integers(0, n_items, n_captions - n_items)]
    )
    similarity = random.standard_normal((n_items, n_captions)).round(1)
    similarity[item_of, np.arange(n_captions)] += 1.0
    return retrieval_ranks(similarity, np.arange(n_items), item_of)


def _slow_draw(ranks, weights: np.ndarray) -> dict[str, float]:
    """Metrics of one resample; item ids are 0..n-1 and number the weights by first caption."""
    drawn = {}
    rsum = 0.0
    for direction in ("t2v", "v2t"):
        queries = [
            query
            for query, item in enumerate(ranks.clusters(direction))
            for _ in range(int(weights[item]))
        ]
        for k in (1, 5, 10):
            drawn[f"{direction}_r{k}"] = 100.0 * ranks.hits(direction, k)[queries].mean()
            rsum += drawn[f"{direction}_r{k}"]
        rank = ranks.expected_rank(direction)[queries]
        drawn[f"{direction}_medr"], drawn[f"{direction}_meanr"] = np.median(rank), rank.mean()
        drawn[f"{direction}_map"] = 100.0 * ranks.average_precision(direction)[queries].mean()
    return drawn | {"rsum": rsum}


def test_intervals_are_those_of_a_loop():
    ranks = _ranks(12, 31)
    weights = np.concatenate(list(resampled_weights(12, 31, resamples=80, seed=4)))
    draws = [_slow_draw(ranks, row) for row in weights]
    found = bootstrap_intervals(ranks, resamples=80, seed=4, level=0.9)
    assert set(found) == set(metrics_of(ranks))
    for name, (low, high) in found.items():
        expected = np.quantile([draw[name] for draw in draws], [0.05, 0.95])
        np.testing.assert_allclose([low, high], expected, rtol=1e-10, err_msg=name)


def test_more_recalls_have_intervals_too_and_change_no_other():
    ranks = _ranks(12, 31)
    usual = bootstrap_intervals(ranks, resamples=50)
    more = bootstrap_intervals(ranks, recall_at=(1, 5, 10, 50), resamples=50)
    assert set(more) - set(usual) == {"t2v_r50", "v2t_r50"}
    assert {name: more[name] for name in usual} == usual
    assert more["t2v_r50"] == (100.0, 100.0)  # the gallery has 12 items
    fewer = bootstrap_intervals(ranks, recall_at=(3,), resamples=50)
    assert fewer["rsum"] == usual["rsum"] and "t2v_r1" not in fewer


def test_chunks_change_nothing(monkeypatch):
    ranks = _ranks(9, 20)
    whole = bootstrap_intervals(ranks, resamples=50)
    monkeypatch.setattr(intervals, "_CHUNK_ELEMENTS", 70)
    chunked = bootstrap_intervals(ranks, resamples=50)
    for name, bounds in whole.items():
        np.testing.assert_allclose(chunked[name], bounds, err_msg=name)


def test_every_resample_draws_as_many_items_as_there_are():
    weights = np.concatenate(list(resampled_weights(7, 7, resamples=300, seed=0)))
    assert weights.shape == (300, 7) and (weights.sum(axis=1) == 7).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.25)


def test_figures_lie_in_their_intervals_and_more_items_narrow_them():
    few, many = _ranks(20, 40), _ranks(320, 640)
    for ranks in (few, many):
        metrics, bounds = metrics_of(ranks), bootstrap_intervals(ranks, resamples=300)
        assert all(bounds[name][0] <= metrics[name] <= bounds[name][1] for name in metrics)
    width = {
        len(ranks.v2t.better): np.diff(bootstrap_intervals(ranks)["v2t_r10"])[0]
        for ranks in (few, many)
    }
    assert width[320] < 0.6 * width[20]


def test_interval_of_a_recall_covers_as_often_as_it_says():
    # One caption an item and a known chance of a hit: 95% intervals of 200 data sets.
    random = np.random.default_rng(6)
    covered = 0
    for _ in range(200):
        similarity = np.zeros((60, 60))
        hit = random.random(60) < 0.4
        similarity[np.arange(60), np.arange(60)] = np.where(hit, 1.0, -1.0)
        ranks = retrieval_ranks(similarity, range(60), range(60))
        low, high = bootstrap_intervals(ranks, recall_at=(1,), resamples=200)["v2t_r1"]
        covered += low <= 40.0 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_one_item_has_an_interval_without_width():
    ranks = retrieval_ranks([[0.5, 0.1]], ["a"], ["a", "a"])
    assert bootstrap_intervals(ranks, resamples=10)["rsum"] == (600.0, 600.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"resamples": 0}, "resamples is 0"), ({"level": 95.0}, r"level is 95\.0, .*such as 0\.95")],
)
def test_meaningless_settings_are_refused(options, message):
    with pytest.raises(NumericsError, match=message):
        bootstrap_intervals(_ranks(3, 3), **options)


def test_several_seeds_give_the_interval_of_their_mean():
    """Two runs that are alike bound as one; the slow twin averages the metric draw by draw."""
    random = np.random.default_rng(0)
    items, captions = np.arange(10), np.arange(10).repeat(2)
    runs = [
        retrieval_ranks(
            random.standard_normal((10, 20)) + 2 * (items[:, None] == captions), items, captions
        )
        for _ in range(2)
    ]
    assert bootstrap_intervals([runs[0], runs[0]], resamples=60) == bootstrap_intervals(
        runs[0], resamples=60
    )
    weights = np.concatenate(list(resampled_weights(10, 20, resamples=60, seed=0)))
    means = [np.mean([_slow_draw(run, row)["rsum"] for run in runs]) for row in weights]
    found = bootstrap_intervals(runs, resamples=60)["rsum"]
    np.testing.assert_allclose(found, np.quantile(means, [0.025, 0.975]))


def test_bounds_of_a_curve_of_recalls_are_those_of_the_metrics():
    random = np.random.default_rng(3)
    ids = list(range(20))
    owner = [*ids, *ids, 3]
    runs = [
        retrieval_ranks(random.normal(size=(20, len(owner))).round(1), ids, owner) for _ in range(2)
    ]
    for given_ranks in (runs[0], runs):
        found = recall_intervals(given_ranks, 7, resamples=150, seed=5, level=0.9)
        expected = bootstrap_intervals(given_ranks, range(1, 8), 150, 5, 0.9)
        for direction, (low, high) in found.items():
            for k in range(1, 8):
                bounds = low[k - 1], high[k - 1]
                assert bounds == pytest.approx(expected[f"{direction}_r{k}"])
    with pytest.raises(NumericsError, match="resamples is 0, expected 1 or more"):
        recall_intervals(runs, 3, resamples=0)
