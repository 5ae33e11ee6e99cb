"""Metrics by name: mean reciprocal rank against writing out every order of a tie; bad modules."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import ConfigError, NumericsError
from polymatch.evaluation import bootstrap_intervals, measures, metrics_of, retrieval_ranks
from polymatch.evaluation.measures import mrr, per_query
from polymatch.settings.config import load_config


def slow_reciprocal_rank(scores, relevant) -> Fraction:
    """Mean over all orders of the candidates that no score forbids."""
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    firsts = [1 + min(order.index(each) for each in np.flatnonzero(relevant)) for order in orders]
    return sum((Fraction(1, first) for first in firsts), Fraction()) / len(orders)


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 6), st.integers(1, 4))
def test_reciprocal_rank_is_the_mean_over_every_order_of_a_tie(seed, items, captions, levels):
    random = np.random.default_rng(seed)
    captions = max(items, captions)
    item_of = np.concatenate([np.arange(items), random.integers(0, items, captions - items)])
    similarity = random.integers(0, levels, (items, captions)).astype(np.float64)
    ranks = retrieval_ranks(similarity, range(items), item_of)
    positive = np.arange(items)[:, None] == item_of
    slow = {"v2t": (similarity, positive), "t2v": (similarity.T, positive.T)}
    for direction, (scores, relevant) in slow.items():
        expected = [
            100 * float(slow_reciprocal_rank(line, own))
            for line, own in zip(scores, relevant, strict=True)
        ]
        np.testing.assert_allclose(mrr.per_query(ranks.of(direction)), expected, rtol=1e-12)


def test_a_constant_scorer_has_the_harmonic_mean_of_chance():
    ranks = retrieval_ranks(np.zeros((50, 50)), range(50), range(50))
    harmonic = sum(1 / rank for rank in range(1, 51))
    assert metrics_of(ranks, measures=["mrr"])["t2v_mrr"] == pytest.approx(100 * harmonic / 50)


def noisy_ranks(seed, n=40):
    random = np.random.default_rng(seed)
    similarity = random.standard_normal((n, 2 * n)).round(1)
    item_of = np.arange(2 * n) % n
    similarity[item_of, np.arange(2 * n)] += 1.0
    return retrieval_ranks(similarity, range(n), item_of)


def test_a_metric_has_columns_and_intervals_in_both_directions_and_changes_no_other():
    ranks = noisy_ranks(0)
    metrics, usual = metrics_of(ranks, measures=["mrr"]), metrics_of(ranks)
    bounds = bootstrap_intervals(ranks, resamples=200, measures=["mrr"])
    assert list(metrics)[5:7] == ["t2v_map", "t2v_mrr"] and list(metrics)[-1] == "rsum"
    assert set(metrics) - set(usual) == set(bounds) - set(bootstrap_intervals(ranks))
    assert set(metrics) - set(usual) == {"t2v_mrr", "v2t_mrr"}
    assert {name: metrics[name] for name in usual} == usual
    for name in ("t2v_mrr", "v2t_mrr"):
        low, high = bounds[name]
        assert low < metrics[name] < high
    both = bootstrap_intervals([ranks, ranks], resamples=200, measures=["mrr"])
    assert both["t2v_mrr"] == bounds["t2v_mrr"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a module of the package, in a folder of its own."""
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path)])

    def write(name, body):
        text = f"import numpy as np\n\n\ndef per_query(ranks):\n    return {body}\n"
        (tmp_path / f"{name}.py").write_text(text)

    return write


def test_a_new_metric_is_one_file(written):
    """The share of candidates that the best right answer leaves behind."""
    name = "left_behind"
    written(name, "100 * (ranks.n_candidates - ranks.expected_rank) / (ranks.n_candidates - 1)")
    ranks = noisy_ranks(1)
    found = metrics_of(ranks, measures=[name, "mrr"])
    assert found["t2v_left_behind"] == pytest.approx(100 * (40 - found["t2v_meanr"]) / 39)
    assert bootstrap_intervals(ranks, resamples=100, measures=[name])["v2t_left_behind"][1] < 100


def test_a_metric_that_gives_a_mean_or_no_number_is_refused(written):
    written("of_all", "np.mean(ranks.better)")
    written("of_none", "np.where(ranks.better >= 0, np.nan, 0)")
    ranks = noisy_ranks(2)
    message = r"metric 'of_all': of_all\.per_query returned shape \(\) for 80 queries; return one"
    with pytest.raises(NumericsError, match=message):
        per_query("of_all", ranks.t2v)
    message = r"metric 'of_none': of_none\.per_query is nan for query 0; return a finite figure"
    with pytest.raises(NumericsError, match=message):
        per_query("of_none", ranks.v2t)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            ["mmr"],
            r"^evaluation\.metrics: unknown metric 'mmr'; did you mean 'mrr'\? allowed: mrr$",
        ),
        (["mrr", "mrr"], r"metrics: \['mrr', 'mrr'\] is not allowed: a metric is named twice"),
        (["map"], r"metrics: \['map'\] .*every table has a column called as 'map' would be"),
        (["r7"], r"every table has a column called as 'r7' would be"),
        (["asp"], r"every table has a column called as 'asp' would be"),
        (["pmrp_1"], r"every table has a column called as 'pmrp_1' would be"),
        (["gain_lo"], r"every table has a column called as 'gain_lo' would be"),
    ],
)
def test_a_wrong_name_is_one_line(metrics, message):
    config = {"models": {"aligned": {"family": "aligned"}}, "evaluation": {"metrics": metrics}}
    with pytest.raises(ConfigError, match=message):
        load_config(config)
