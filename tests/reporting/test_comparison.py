"""Comparisons against a slow twin, by hand, and against the leaderboard's own test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.captions import merge_queries
from polymatch.data.tables import check_table, load_schema, write_table
from polymatch.errors import ConfigError, DataError
from polymatch.evaluation import metrics_of, paired_test, retrieval_ranks
from polymatch.reporting.compared_runs import compare_runs, corrected_p, find_runs
from polymatch.reporting.comparison import TestSet, check_same_test_set, compared
from polymatch.reporting.leaderboard import compare
from polymatch.settings.read import read_config
from polymatch.settings.stages import EvaluationSettings

from .compared_examples import N, captions_of, write_runs

SETTINGS = EvaluationSettings(permutations=400)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    write_runs(root)
    return root


@pytest.fixture(scope="module")
def config(place):
    return read_config([place / "config.yaml"])


@pytest.fixture(scope="module")
def found(place, config):
    def find(name, kind=None):
        return find_runs(config, name, place / "results", kind)

    return find


def test_a_comparison_says_what_a_loop_over_queries_says(found):
    a, b = found("strong"), found("aligned")
    comparison = compare_runs(a, b)
    queries = merge_queries(captions_of([f"item{row}" for row in range(N)]))
    assert comparison.queries["direction"].value_counts().to_dict() == {"t2v": 2 * N + 1, "v2t": N}
    rows = comparison.queries.set_index(["direction", "query"])
    named = zip(queries.caption_ids, queries.texts, queries.positives, strict=True)
    for place, (caption, text, items) in enumerate(named):
        ranks = [np.mean([run.t2v.expected_rank[place] for run in of.ranks()]) for of in (a, b)]
        row = rows.loc["t2v", caption]
        assert (row["rank_a"], row["rank_b"]) == pytest.approx(ranks)
        assert (row["text"], row["right"]) == (text, " | ".join(items))
        expected = "won" if ranks[0] < ranks[1] else "lost" if ranks[0] > ranks[1] else "same"
        assert row["outcome"] == expected
    assert rows.loc["v2t", "item1"]["right"] == "text 0 of item1 | text 1 of item1 | both of them"
    check_table(comparison.queries, load_schema("comparison"), "comparison")


def test_the_most_changed_come_first(found):
    queries = compare_runs(found("strong"), found("weak")).queries
    gain = (1 / queries["rank_a"] - 1 / queries["rank_b"]).abs()
    assert gain.is_monotonic_decreasing and gain.iloc[0] > 0.5


def test_the_first_test_is_the_leaderboards(found):
    a, b = found("strong"), found("weak")
    comparison = compare_runs(a, b)
    assert [tested.name for tested in comparison.tests][:2] == ["rsum", "t2v_r1"]
    ranks = {("strong", "mean"): a.ranks(), ("weak", "mean"): b.ranks()}
    ((theirs, _), _) = compare(list(ranks), ("weak", "mean"), ranks, a.config.evaluation)
    assert comparison.headline.test == theirs
    for tested in comparison.tests:
        means = [np.mean([metrics_of(run)[tested.name] for run in of]) for of in ranks.values()]
        assert (tested.a, tested.b) == pytest.approx(means)
        assert tested.test.difference == pytest.approx(tested.a - tested.b)


@pytest.mark.parametrize("direction", ["t2v", "v2t"])
def test_one_direction(found, direction):
    a, b = found("strong/1", "mc"), found("weak/0")
    comparison = compare_runs(a, b, direction)
    assert comparison.directions == [direction] and comparison.headline.name == f"{direction}_rsum"
    assert comparison.headline.a == pytest.approx(
        sum(metrics_of(a.ranks()[0])[f"{direction}_r{k}"] for k in (1, 5, 10))
    )
    test = paired_test(a.ranks(), b.ranks(), f"{direction}_rsum", resamples=400)
    assert comparison.headline.test == test
    assert sum(comparison.counts(direction).values()) == len(comparison.queries)
    assert (comparison.a, comparison.b) == ("strong/1 (mc)", "weak/0 (mean)")


def test_a_run_is_like_itself(found):
    comparison = compare_runs(found("strong"), found("strong"))
    assert comparison.headline.test.p_value == 1.0
    assert comparison.counts("t2v") == {"won": 0, "lost": 0, "same": 2 * N + 1}


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=4, max_size=4))
def test_who_is_turned_around_wins_what_was_lost(scores):
    items = list("abcd")
    queries = merge_queries(captions_of(items)[::2].iloc[:4])
    test_set = TestSet("p", items, queries)
    one, other = np.array(scores, float), np.eye(4)
    ranks = [[retrieval_ranks(each, items, items)] for each in (one, other)]
    there = compared(*ranks, test_set, EvaluationSettings(permutations=100), metrics=())
    back = compared(*ranks[::-1], test_set, EvaluationSettings(permutations=100), metrics=())
    for direction in ("t2v", "v2t"):
        won, lost, same = (there.counts(direction)[name] for name in ("won", "lost", "same"))
        assert back.counts(direction) == {"won": lost, "lost": won, "same": same}
    assert there.headline.test.p_value == back.headline.test.p_value


def test_names_stand_for_all_seeds_and_folders_for_one(found, place):
    runs = place / "results/toy/efficientnet_minilm/runs"
    assert found("strong").name == "strong (mean, 2 seeds)" == found(str(runs / "strong")).name
    assert found("aligned").name == "aligned (cosine)"
    assert found("strong/1").name == "strong/1 (mean)" == found(str(runs / "strong/1")).name
    assert len(found("strong").ranks()) == 2 and len(found("strong/1").ranks()) == 1


def test_the_leaderboards_p_where_it_states_this_test(found):
    a, b = found("strong"), found("aligned")
    comparison = compare_runs(a, b)
    assert a.leaderboard() is None and corrected_p(a, b, comparison, None) is None
    rows = [
        ("aligned", "cosine", b),
        ("strong", "mean", a),
        ("strong", "mc", found("strong", "mc")),
    ]
    board = pd.DataFrame(
        {
            "model": [model for model, *_ in rows],
            "similarity": [kind for _, kind, _ in rows],
            "rsum": [np.mean([metrics_of(r)["rsum"] for r in of.ranks()]) for *_, of in rows],
            "vs_baseline": ["itself", "better", "better"],
            "p_vs_baseline": [1.0, 0.02, 0.03],
            "vs_best": ["worse", "itself", "no significant difference"],
            "p_vs_best": [0.02, 1.0, 0.5],
        }
    )
    said = corrected_p(a, b, comparison, board)
    assert (said.p_value, said.against, said.rows) == (0.02, "baseline", 2)
    c = found("strong", "mc")
    assert corrected_p(c, a, compare_runs(c, a), board).against == "best"
    assert corrected_p(a, b, compare_runs(a, b, "t2v"), board) is None
    alone = found("strong/0")
    assert corrected_p(alone, b, compare_runs(alone, b), board) is None
    board["rsum"] += [0.0, 0.5, 0.0]  # of other runs than these
    assert corrected_p(a, b, comparison, board) is None


def test_runs_of_other_test_sets_are_refused(found, tmp_path):
    items = [f"item{row}" for row in range(N)]
    for name, changes, message in [
        ("few", {"items": items[:-1]}, f"{N} items of test against {N - 1}; "),
        ("order", {"items": items[::-1]}, "items of test differ from the 1. on ('item0' against "),
        ("texts", {"first": "word"}, "texts of test differ from the 1. on ('text 0 of item0' "),
    ]:
        write_runs(tmp_path / name, **changes)
        config = read_config([tmp_path / name / "config.yaml"])
        other = find_runs(config, "weak", tmp_path / name / "results")
        with pytest.raises(DataError) as raised:
            compare_runs(found("strong"), other)
        told = str(raised.value)
        assert told.startswith("strong (mean, 2 seeds) and weak (mean, 2 seeds) cannot be compared")
        assert message in told


def test_other_protocols_are_refused():
    test_set = TestSet("a", ["x"], merge_queries(captions_of(["x", "y"])[:1]))
    with pytest.raises(DataError) as raised:
        check_same_test_set(("A", "B"), test_set, TestSet("b", *list(vars(test_set).values())[1:]))
    assert str(raised.value) == (
        "A and B cannot be compared: the one was scored by the protocol 'a', the other by 'b'; "
        "choose runs of one protocol"
    )


def test_ranks_of_other_queries_are_refused(found):
    a = found("strong")
    test_set = a.test_set()
    short = TestSet(test_set.protocol, test_set.items[:-1], test_set.queries)
    with pytest.raises(DataError) as raised:
        compared(a.ranks(), a.ranks(), short, SETTINGS)
    assert str(raised.value) == (
        f"A: its ranks are of {N} items and {2 * N + 1} texts, not these {N - 1} items and "
        f"{2 * N + 1} texts of test; run the workflow for it again"
    )
    with pytest.raises(DataError, match="B: no ranks were given; run the workflow for it first"):
        compared(a.ranks(), [], test_set, SETTINGS)


def test_what_is_not_there_is_said(found, tmp_path):
    with pytest.raises(ConfigError) as raised:
        found("strong", "mode")
    assert str(raised.value) == ("strong: unknown similarity 'mode'; allowed: mean, mc")
    write_runs(tmp_path)
    run = find_runs(read_config([tmp_path / "config.yaml"]), "weak", tmp_path / "results")
    path = run.runs[1].folder / "mean.ranks.parquet"
    path.unlink()
    with pytest.raises(DataError) as missing:
        run.ranks()
    assert str(missing.value) == (
        f"{path}: no such ranks; compute them first: snakemake --cores 2 {path}"
    )


def test_the_csv_is_the_queries(found, tmp_path):
    comparison = compare_runs(found("strong"), found("weak"))
    write_table(comparison.queries, tmp_path / "c.csv", "comparison")
    assert len(pd.read_csv(tmp_path / "c.csv")) == 3 * N + 1
