"""Figures kept with ranks, and folds: each fold by itself, through files, bounds and tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import (
    RetrievalRanks,
    average_semantic_precision,
    bootstrap_intervals,
    fold_ranks,
    judged_ranks,
    metrics_of,
    paired_test,
    pmrp,
    retrieval_metrics,
    retrieval_ranks,
)

ITEMS, FOLDS = 12, 3
ITEM_IDS = [f"item{number}" for number in range(ITEMS)]
ITEM_OF = np.repeat(np.arange(ITEMS), 2)
NAMED = [ITEM_IDS[item] for item in ITEM_OF]


def example(seed=0):
    random = np.random.default_rng(seed)
    similarity = random.standard_normal((ITEMS, 2 * ITEMS)).round(1)
    similarity[ITEM_OF, np.arange(2 * ITEMS)] += 0.7
    semantic = np.where(random.random(similarity.shape) < 0.7, 0, random.random(similarity.shape))
    codes = (np.random.default_rng(9).random((ITEMS, 5)) < 0.4).astype(int)
    codes[[0, 5]] = 0
    return similarity, semantic, codes


def judged(seed=0, folds=FOLDS):
    similarity, semantic, codes = example(seed)
    return judged_ranks(
        similarity,
        ITEM_IDS,
        NAMED,
        semantic=sparse.csr_array(semantic),
        category_codes=codes,
        folds=folds,
    )


def test_the_figures_are_those_of_their_own_functions():
    similarity, semantic, codes = example()
    metrics = metrics_of(judged())
    v2t, t2v = average_semantic_precision(similarity, semantic)
    assert metrics["v2t_asp"] == pytest.approx(v2t) and metrics["t2v_asp"] == pytest.approx(t2v)
    for name, value in pmrp(similarity, codes, ITEM_OF).items():
        direction, _, threshold = name.partition("_")
        column = f"{direction}_pmrp_{threshold}" if threshold else f"{direction}_pmrp"
        assert metrics[column] == pytest.approx(value)
    plain = retrieval_metrics(similarity, ITEM_IDS, NAMED)
    assert {name: metrics[name] for name in plain} == plain
    assert {name.removeprefix("fold_") for name in metrics if name.startswith("fold_")} == {
        name for name in metrics if not name.startswith("fold_")
    }


def test_a_figure_within_folds_is_the_mean_over_folds_of_that_fold_alone():
    similarity, semantic, codes = example()
    metrics = metrics_of(judged())
    height = ITEMS // FOLDS
    recalls, precisions, matches = [], [], []
    for top in range(0, ITEMS, height):
        rows, columns = slice(top, top + height), slice(2 * top, 2 * (top + height))
        part = similarity[rows, columns]
        recalls.append(retrieval_metrics(part, ITEM_IDS[rows], NAMED[columns]))
        precisions.append(average_semantic_precision(part, semantic[rows, columns]))
        matches.append(pmrp(part, codes[rows], ITEM_OF[columns] - top))
    for name in ("t2v_r1", "v2t_r5", "t2v_map", "v2t_meanr", "rsum"):
        assert metrics[f"fold_{name}"] == pytest.approx(np.mean([each[name] for each in recalls]))
    assert metrics["fold_v2t_asp"] == pytest.approx(np.mean([each[0] for each in precisions]))
    # Two of the folds have an item less to ask for.
    asked = [3, 3, 4]
    expected = np.average([each["v2t_1"] for each in matches], weights=asked)
    assert metrics["fold_v2t_pmrp_1"] == pytest.approx(expected)


def test_a_caption_of_items_in_two_folds_is_asked_in_both():
    similarity = np.arange(12.0).reshape(4, 3)
    ranks = fold_ranks(similarity, "abcd", [("a", "c"), ("b",), ("d", "a")], 2)
    assert ranks.t2v.query_ids.tolist() == [0, 1, 2, 0, 2]
    assert ranks.t2v.clusters.tolist() == ["a", "b", "a", "c", "d"]
    assert ranks.t2v.n_candidates.tolist() == [2] * 5
    assert ranks.v2t.n_candidates.tolist() == [3, 3, 2, 2]


def test_saved_figures_and_folds_come_back(tmp_path):
    ranks = judged()
    ranks.save(tmp_path / "ranks.parquet")
    loaded = RetrievalRanks.load(tmp_path / "ranks.parquet")
    assert metrics_of(loaded) == metrics_of(ranks)
    assert loaded.folds.t2v.further.keys() == ranks.folds.t2v.further.keys()
    for direction in ("t2v", "v2t"):
        for name, values in ranks.of(direction).further.items():
            np.testing.assert_array_equal(loaded.of(direction).further[name], values)
    plain = retrieval_ranks(example()[0], ITEM_IDS, NAMED)
    plain.save(tmp_path / "plain.parquet")
    loaded = RetrievalRanks.load(tmp_path / "plain.parquet")
    assert loaded.folds is None and loaded.t2v.further == {}


def test_bounds_leave_out_the_queries_that_a_figure_leaves_out():
    ranks = judged()
    bounds, metrics = bootstrap_intervals(ranks, resamples=300), metrics_of(ranks)
    assert bounds.keys() == metrics.keys()
    for name, (low, high) in bounds.items():
        assert low <= metrics[name] + 1e-9 and metrics[name] - 1e-9 <= high, name
    # Slow form: draw items, write their queries out, and take the mean of those that are counted.
    random = np.random.default_rng(0)
    drawn = random.integers(0, ITEMS, (300, ITEMS))
    own = dict(zip(ranks.t2v.clusters[::2], ranks.t2v.further["pmrp"].reshape(-1, 2), strict=True))
    order = list(own.values())
    means = [np.nanmean([order[item] for item in items]) for items in drawn]
    assert bounds["t2v_pmrp"] == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_a_figure_is_tested_by_name():
    a, b = judged(0), judged(1)
    for metric in ("t2v_asp", "v2t_pmrp", "fold_t2v_pmrp_1", "fold_rsum", "fold_v2t_r5"):
        test = paired_test(a, b, metric=metric, resamples=200)
        assert test.difference == pytest.approx(metrics_of(a)[metric] - metrics_of(b)[metric])
        assert test.low <= test.difference <= test.high
    assert paired_test(a, b, metric="v2t_pmrp", resamples=100).n_queries == ITEMS - 2
    with pytest.raises(NumericsError, match=r"'asq' cannot be tested; choose r<k>, asp, pmrp"):
        paired_test(a, b, metric="t2v_asq")
    with pytest.raises(DataError, match=r"'fold_rsum': the ranks hold no folds; set `evaluation\."):
        paired_test(a, judged(1, folds=None), metric="fold_rsum")


@pytest.mark.parametrize("folds", [5, 24])
def test_items_that_cannot_be_cut_equally_are_refused(folds):
    message = (
        rf"12 items cannot be cut into {folds} equal folds; choose a number that divides them "
        r"\(up to 50: 2, 3, 4, 6, 12\) or no folds"
    )
    with pytest.raises(DataError, match=message):
        judged(folds=folds)


def test_figures_of_the_wrong_number_or_of_no_query_are_refused():
    ranks = judged()
    message = r"t2v_of_all: figures of shape \(1,\) for 24 queries; one a query"
    with pytest.raises(DataError, match=message):
        ranks.with_further({"t2v_of_all": np.zeros(1)})
    message = "v2t_of_none: every one of the 12 queries is left out; check that the annotation is"
    with pytest.raises(DataError, match=message):
        ranks.with_further({"v2t_of_none": np.full(12, np.nan)})
