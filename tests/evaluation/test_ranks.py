"""Ranks, hits and average precision against their definitions, enumerated or looped."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import RetrievalRanks, retrieval_ranks

DIRECTIONS = ("t2v", "v2t")


def _expectation(scores: np.ndarray, positive: np.ndarray, ks: range):
    """Hit@k, best rank and average precision, averaged over all orders of tied candidates."""
    n = len(scores)
    hits, ranks, precisions = np.zeros(len(ks)), [], []
    orders = [
        order
        for order in permutations(range(n))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    for order in orders:
        relevant = [positive[candidate] for candidate in order]
        best = relevant.index(True) + 1
        ranks.append(best)
        hits += [best <= k for k in ks]
        found = [sum(relevant[: place + 1]) / (place + 1) for place in range(n) if relevant[place]]
        precisions.append(sum(found) / sum(positive))
    return hits / len(orders), np.mean(ranks), np.mean(precisions)


@st.composite
def _problems(draw, most_items=5, most_captions=6, levels=3):
    """A small matrix with ties; every item has a caption and every caption one or more items."""
    n_items = draw(st.integers(1, most_items))
    n_captions = draw(st.integers(n_items, most_captions))
    named = [[row] for row in range(n_items)] + [
        draw(st.lists(st.integers(0, n_items - 1), min_size=1, max_size=n_items, unique=True))
        for _ in range(n_captions - n_items)
    ]
    values = draw(
        st.lists(
            st.integers(0, levels - 1),
            min_size=n_items * n_captions,
            max_size=n_items * n_captions,
        )
    )
    similarity = np.array(values, np.float64).reshape(n_items, n_captions)
    return similarity, list(range(n_items)), named


def _positive(items: list, named: list) -> np.ndarray:
    return np.array([[item in each for each in named] for item in items])


def _assert_same(a: RetrievalRanks, b: RetrievalRanks) -> None:
    for direction in DIRECTIONS:
        assert a.of(direction).further == b.of(direction).further == {}
        for name, value in vars(a.of(direction)).items():
            if name == "further":
                continue
            other = getattr(b.of(direction), name)
            assert value.dtype == other.dtype, name
            np.testing.assert_array_equal(value, other, err_msg=f"{direction} {name}")


@settings(max_examples=60, deadline=None)
@given(_problems())
def test_every_figure_is_the_mean_over_all_orders_of_ties(problem):
    similarity, items, named = problem
    ranks = retrieval_ranks(similarity, items, named)
    positive = _positive(items, named)
    for direction, scores, relevant in (
        ("v2t", similarity, positive),
        ("t2v", similarity.T, positive.T),
    ):
        ks = range(1, scores.shape[1] + 2)
        for query in range(len(scores)):
            hits, rank, precision = _expectation(scores[query], relevant[query], ks)
            found = [ranks.hits(direction, k)[query] for k in ks]
            np.testing.assert_allclose(found, hits, atol=1e-12)
            assert ranks.expected_rank(direction)[query] == pytest.approx(rank, abs=1e-12)
            assert ranks.average_precision(direction)[query] == pytest.approx(precision, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(_problems(8, 20, 4), st.randoms(use_true_random=False))
def test_order_of_items_and_captions_changes_nothing(problem, random):
    similarity, items, named = problem
    n_items, n_captions = similarity.shape
    rows = random.sample(range(n_items), n_items)
    columns = random.sample(range(n_captions), n_captions)
    plain = retrieval_ranks(similarity, items, named)
    shuffled = retrieval_ranks(
        similarity[rows][:, columns],
        [items[row] for row in rows],
        [named[column] for column in columns],
        caption_ids=columns,
    )
    for direction, back in (("v2t", np.argsort(rows)), ("t2v", np.argsort(columns))):
        for name, value in vars(plain.of(direction)).items():
            if name == "further":
                continue
            np.testing.assert_array_equal(value, getattr(shuffled.of(direction), name)[back])


@settings(max_examples=40, deadline=None)
@given(_problems(8, 20, 4))
def test_only_the_order_of_similarities_matters(problem):
    similarity, items, named = problem
    _assert_same(
        retrieval_ranks(similarity, items, named),
        retrieval_ranks(np.exp(3.0 * similarity) - 7.0, items, named),
    )


@settings(max_examples=40, deadline=None)
@given(_problems(8, 20, 4), st.sampled_from([1, 2, 5]))
def test_torch_and_threads_change_nothing(problem, threads):
    similarity, items, named = problem
    _assert_same(
        retrieval_ranks(similarity, items, named, threads=1),
        retrieval_ranks(torch.from_numpy(similarity), items, named, threads=threads),
    )


@pytest.mark.parametrize("k", [1, 3, 7, 10, 12])
def test_a_constant_scorer_is_at_chance(k):
    ranks = retrieval_ranks(np.full((10, 10), 0.7, np.float32), range(10), range(10))
    for direction in DIRECTIONS:
        np.testing.assert_allclose(ranks.hits(direction, k), min(k / 10, 1.0), rtol=1e-12)
        np.testing.assert_allclose(ranks.expected_rank(direction), 5.5)
        reciprocal = sum(1 / rank for rank in range(1, 11)) / 10
        np.testing.assert_allclose(ranks.average_precision(direction), reciprocal)


def test_one_item_is_always_found():
    ranks = retrieval_ranks([[0.1, 0.2, 0.1]], ["a"], ["a", "a", "a"])
    for direction in DIRECTIONS:
        assert (ranks.hits(direction, 1) == 1.0).all()
        assert (ranks.expected_rank(direction) == 1.0).all()
        np.testing.assert_allclose(ranks.average_precision(direction), 1.0)


def test_a_caption_of_several_items_counts_its_best_and_belongs_to_the_first():
    similarity = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.8]])
    ranks = retrieval_ranks(similarity, ["a", "b", "c"], [["c", "b"], {"c", "a"}])
    assert ranks.expected_rank("t2v").tolist() == [1.0, 1.0]
    assert ranks.average_precision("t2v").tolist() == [1.0, 1.0]
    assert ranks.clusters("t2v").tolist() == ["c", "a"]  # of a set, the first in the gallery
    assert ranks.t2v.n_positives.tolist() == [2, 2]
    assert ranks.v2t.n_candidates.tolist() == [2, 2, 2]
    assert ranks.t2v.n_candidates.tolist() == [3, 3]


def test_an_item_named_twice_by_one_caption_is_one_positive():
    ranks = retrieval_ranks(np.eye(2), ["a", "b"], [["a", "a"], "b"])
    assert ranks.t2v.n_positives.tolist() == [1, 1]


def test_average_precision_and_recall_agree_with_trec_eval():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    random = np.random.default_rng(11)
    n_items, n_captions = 40, 90
    similarity = random.permutation(n_items * n_captions).reshape(n_items, n_captions) / 64.0
    named = [[row] for row in range(n_items)]
    named += [random.choice(n_items, 3, replace=False).tolist() for _ in range(50)]
    ranks = retrieval_ranks(similarity, range(n_items), named)
    positive = _positive(list(range(n_items)), named)
    for direction, scores, relevant in (
        ("v2t", similarity, positive),
        ("t2v", similarity.T, positive.T),
    ):
        qrel = {
            str(query): {str(c): 1 for c in np.flatnonzero(line)}
            for query, line in enumerate(relevant)
        }
        run = {
            str(query): {str(c): float(score) for c, score in enumerate(line)}
            for query, line in enumerate(scores)
        }
        judge = pytrec_eval.RelevanceEvaluator(qrel, {"map", "recip_rank", "success.1,5,10"})
        judged = judge.evaluate(run)
        for query in range(len(scores)):
            figures = judged[str(query)]
            assert ranks.average_precision(direction)[query] == pytest.approx(figures["map"])
            assert 1 / ranks.expected_rank(direction)[query] == pytest.approx(figures["recip_rank"])
            for k in (1, 5, 10):
                assert ranks.hits(direction, k)[query] == figures[f"success_{k}"]


def test_caption_of_an_unknown_item_is_named():
    with pytest.raises(DataError, match=r"caption 1 .*belongs to 'z', which is not among the 2"):
        retrieval_ranks(np.eye(2), ["a", "b"], ["a", "z"])
    with pytest.raises(DataError, match=r"caption 0 .*belongs to \['a', 'z'\]"):
        retrieval_ranks(np.eye(2), ["a", "b"], [["a", "z"], "b"])
    with pytest.raises(DataError, match=r"caption 1 .*belongs to \[\]"):
        retrieval_ranks(np.eye(2), ["a", "b"], ["a", []])


def test_item_without_captions_is_named():
    with pytest.raises(DataError, match=r"item 'b' has no caption \(1 such items\)"):
        retrieval_ranks(np.eye(2), ["a", "b"], ["a", "a"])


def test_unmatched_queries_can_be_left_out_and_still_compete():
    similarity = np.array([[0.2, 0.9], [0.8, 0.1]])
    ranks = retrieval_ranks(similarity, ["a", "b"], ["a", "z"], allow_unmatched=True)
    assert ranks.t2v.query_ids.tolist() == [0] and ranks.v2t.query_ids.tolist() == ["a"]
    assert ranks.expected_rank("t2v").tolist() == [2.0]  # item b competes
    assert ranks.expected_rank("v2t").tolist() == [2.0]  # the caption of z competes
    with pytest.raises(DataError, match="no caption belongs to any item"):
        retrieval_ranks(similarity, ["a", "b"], ["y", "z"], allow_unmatched=True)


def test_shapes_that_contradict_the_ids_are_named():
    with pytest.raises(DataError, match=r"shape \(3, 2\), expected .* = \(2, 3\).*transpose it"):
        retrieval_ranks(np.zeros((3, 2)), ["a", "b"], ["a", "b", "a"])
    with pytest.raises(DataError, match=r"shape \(4,\), expected items x captions = \(2, 2\)"):
        retrieval_ranks(np.zeros(4), ["a", "b"], ["a", "b"])
    with pytest.raises(DataError, match="at least one of each"):
        retrieval_ranks(np.zeros((0, 0)), [], [])
    with pytest.raises(DataError, match="caption_ids holds 1 ids for 2 captions"):
        retrieval_ranks(np.eye(2), ["a", "b"], ["a", "b"], caption_ids=["x"])


def test_repeated_item_id_is_named():
    with pytest.raises(DataError, match="'b' occurs more than once"):
        retrieval_ranks(np.eye(3), ["a", "b", "b"], ["a", "b", "b"])


def test_nan_is_refused_even_at_a_positive():
    with pytest.raises(NumericsError, match="1 NaN or infinite values, the first at item 1, capt"):
        retrieval_ranks(np.array([[1.0, 0.0], [0.0, np.nan]]), ["a", "b"], ["a", "b"])


def test_unknown_direction_and_recall_below_one():
    ranks = retrieval_ranks(np.eye(2), "ab", "ab")
    with pytest.raises(ValueError, match="one of t2v, v2t, got 'i2t'"):
        ranks.of("i2t")
    with pytest.raises(ValueError, match="k >= 1, got 0"):
        ranks.hits("t2v", 0)


@pytest.mark.parametrize("as_id", [int, lambda row: f"ü-{row}"])
def test_saved_ranks_come_back_exactly(tmp_path, as_id):
    random = np.random.default_rng(5)
    similarity = random.integers(0, 4, (6, 15)).astype(np.float32)
    ids = [as_id(row) for row in range(6)]
    named = [*ids, *([ids[row], ids[row - 1]] for row in random.integers(0, 6, 9))]
    ranks = retrieval_ranks(similarity, ids, named)
    path = tmp_path / "deep" / "ranks.parquet"
    ranks.save(path)
    _assert_same(ranks, RetrievalRanks.load(path))
    assert [each.name for each in path.parent.iterdir()] == ["ranks.parquet"]


def test_files_that_are_not_ranks_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.parquet: cannot be read as ranks"):
        RetrievalRanks.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match=r"text\.parquet: cannot be read as ranks"):
        RetrievalRanks.load(tmp_path / "text.parquet")
    pq.write_table(pa.table({"query_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="lacks the columns average_precision, better"):
        RetrievalRanks.load(tmp_path / "other.parquet")
    mixed = retrieval_ranks(np.eye(2), ["a", 1], ["a", 1])
    with pytest.raises(DataError, match="all integers or all strings"):
        mixed.save(tmp_path / "mixed.parquet")
