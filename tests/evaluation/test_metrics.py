"""Metrics against the field's own way: sort, look where the first positive lands."""

from __future__ import annotations

import numpy as np
import pytest

from polymatch.evaluation import metrics_of, retrieval_metrics, retrieval_ranks


def _first_places(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    places = []
    for line, relevant in zip(scores, positive, strict=True):
        order = sorted(range(len(line)), key=lambda candidate: -line[candidate])
        places.append(1 + min(order.index(each) for each in np.flatnonzero(relevant)))
    return np.array(places)


def _mean_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    precisions = []
    for line, relevant in zip(scores, positive, strict=True):
        sorted_relevant = relevant[np.argsort(-line)]
        at = np.flatnonzero(sorted_relevant)
        precisions.append(np.mean([sorted_relevant[: p + 1].mean() for p in at]))
    return 100.0 * float(np.mean(precisions))


@pytest.mark.parametrize("captions_an_item", [1, 5])
def test_metrics_without_ties_are_those_of_sorting(captions_an_item):
    random = np.random.default_rng(captions_an_item)
    item_of = np.repeat(np.arange(30), captions_an_item)
    similarity = random.standard_normal((30, len(item_of)))
    similarity[item_of, np.arange(len(item_of))] += 1.5
    found = retrieval_metrics(similarity, np.arange(30), item_of)
    positive = np.arange(30)[:, None] == item_of
    rsum = 0.0
    for direction, scores, relevant in (
        ("v2t", similarity, positive),
        ("t2v", similarity.T, positive.T),
    ):
        places = _first_places(scores, relevant)
        for k in (1, 5, 10):
            recall = 100.0 * np.mean(places <= k)
            rsum += recall
            assert found[f"{direction}_r{k}"] == pytest.approx(recall)
        assert found[f"{direction}_medr"] == np.median(places)
        assert found[f"{direction}_meanr"] == pytest.approx(places.mean())
        assert found[f"{direction}_map"] == pytest.approx(_mean_precision(scores, relevant))
    assert found["rsum"] == pytest.approx(rsum)


def test_keys_types_and_units():
    found = retrieval_metrics(np.eye(4), "abcd", "abcd", recall_at=(1, 2))
    names = ["r1", "r2", "medr", "meanr", "map"]
    expected = [f"{direction}_{name}" for direction in ("t2v", "v2t") for name in names]
    assert list(found) == [*expected, "rsum"]
    assert all(type(value) is float for value in found.values())
    assert found["t2v_r1"] == 100.0 and found["v2t_medr"] == 1.0


def test_rsum_is_that_of_1_5_and_10_whichever_recalls_are_asked_for():
    ranks = retrieval_ranks(np.random.default_rng(3).standard_normal((20, 30)), range(20), _cycle())
    usual = metrics_of(ranks)
    for recall_at in ((1,), (2, 50), (1, 5, 10, 50)):
        found = metrics_of(ranks, recall_at)
        assert found["rsum"] == usual["rsum"]
        assert {name for name in found if "_r" in name} == {
            f"{direction}_r{k}" for direction in ("t2v", "v2t") for k in recall_at
        }
    assert usual["rsum"] == pytest.approx(
        sum(usual[f"{direction}_r{k}"] for direction in ("t2v", "v2t") for k in (1, 5, 10))
    )


def _cycle():
    return [caption % 20 for caption in range(30)]


def test_a_constant_scorer_is_at_chance():
    found = retrieval_metrics(np.zeros((200, 200), np.float32), range(200), range(200))
    for direction in ("t2v", "v2t"):
        for k in (1, 5, 10):
            assert found[f"{direction}_r{k}"] == pytest.approx(k / 2)
        assert found[f"{direction}_medr"] == found[f"{direction}_meanr"] == 100.5


def test_metrics_of_ranks_are_those_of_the_matrix():
    similarity = np.random.default_rng(0).standard_normal((5, 8))
    arguments = (similarity, list("abcde"), list("abcdeabc"))
    assert metrics_of(retrieval_ranks(*arguments)) == retrieval_metrics(*arguments)
