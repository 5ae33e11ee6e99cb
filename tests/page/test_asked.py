"""Queries that the page shows, and pictures of what is shown most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.splits import matched_rows
from polymatch.evaluation import retrieval_ranks
from polymatch.evaluation.query_ranks import DIRECTIONS
from polymatch.reporting.page.asked import asked, choose_queries, rows_shown
from polymatch.reporting.page.board import RowRanks
from polymatch.reporting.page.packed import plain
from polymatch.reporting.page.thumbnails import data_url, thumbnails

ITEMS = [f"item {row}" for row in range(15)]
POSITIVES = [(item,) for item in ITEMS for _ in range(2)] + [(ITEMS[3], ITEMS[8])]
MATCHES = matched_rows(ITEMS, POSITIVES)


@pytest.fixture
def two_rows(tmp_path):
    rows, matrices, scores = {}, {}, {}
    for name in ("one", "other"):
        similarity = np.random.default_rng(len(name)).standard_normal((15, 31))
        similarity[tuple(MATCHES.T)] += 1.0
        ranks = retrieval_ranks(similarity, ITEMS, POSITIVES)
        key = (name, "mean")
        rows[key] = RowRanks(ranks, {d: ranks.expected_rank(d) for d in DIRECTIONS}, {})
        matrices[key], scores[name] = tmp_path / f"{name}.npy", similarity
        np.save(matrices[key], similarity)
    return rows, matrices, scores


def test_answers_are_those_of_sorting_and_the_right_ones_are_named(two_rows):
    rows, matrices, scores = two_rows
    found = asked(rows, matrices, MATCHES, 4, 0)
    for direction, side in (("t2v", 1), ("v2t", 0)):
        queries = found[direction]["queries"]
        assert [why for _, why, _ in queries] == ["chosen"] * 4 + ["random"] * 4
        assert len({query for query, _, _ in queries}) == 8
        for name, similarity in scores.items():
            lines = similarity.T if side else similarity
            answers = found[direction]["answers"][f"{name}/mean"]
            for (query, _, right), (rank, best, best_right) in zip(queries, answers, strict=True):
                order = np.argsort(-lines[query]).tolist()
                assert best == order[:5]
                assert right == [pair[1 - side] for pair in MATCHES.tolist() if pair[side] == query]
                assert best_right == min(right, key=order.index)
                assert rank == order.index(best_right) + 1


def test_chosen_are_the_queries_on_which_ranks_differ_most(two_rows):
    rows, matrices, _ = two_rows
    ranks = np.stack([row.rank["t2v"] for row in rows.values()])
    chosen = [q for q, why in choose_queries(ranks, 5, 0) if why == "chosen"]
    spread = np.abs(1 / ranks[0] - 1 / ranks[1])
    assert spread[chosen].min() >= np.delete(spread, chosen).max()
    shown = rows_shown(asked(rows, matrices, MATCHES, 3, 0))
    assert set(shown["items"]) <= set(range(15)) and set(shown["captions"]) <= set(range(31))


@given(st.integers(1, 12), st.integers(0, 8), st.integers(0, 3))
def test_each_query_is_taken_once_and_no_more_than_there_are(number, queries, seed):
    ranks = np.random.default_rng(seed).integers(1, 9, (3, number)).astype(float)
    taken = choose_queries(ranks, queries, seed)
    assert len({q for q, _ in taken}) == len(taken) <= min(number, 2 * queries)
    assert taken == choose_queries(ranks, queries, seed)


def test_pictures_shown_most_often_come_first_until_the_room_is_used_up():
    grey = {row: np.full((8, 8, 3), 10 * row, np.uint8) for row in range(5)}
    one = max(len(data_url(each)) for each in grey.values())
    found = thumbnails([4, 1, 1, 3, 4, 4, 2, 0], grey.get, 2.5 * one)
    assert list(found) == [4, 1]
    assert all(url.startswith("data:image/webp;base64,") for url in found.values())
    assert thumbnails([0, 1], grey.get, 0) == {}


def test_items_without_a_picture_have_none():
    assert thumbnails([0, 1], lambda row: None, 1e6) == {}


@given(st.floats() | st.text() | st.booleans() | st.none() | st.integers())
def test_packed_values_are_json_and_near_what_they_were(value):
    found = plain(value)
    if isinstance(value, float) and np.isfinite(value):
        assert found == pytest.approx(value, rel=1e-5)
    elif isinstance(value, float):
        assert found is None
    else:
        assert found == value
