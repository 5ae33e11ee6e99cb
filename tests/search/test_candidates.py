"""An index finds what a full search finds, or says why it cannot; points order as scores do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import ConfigError
from polymatch.models.points import caption_point, distance_point, unit_point
from polymatch.search.engine import SearchEngine
from polymatch.search.index import PointIndex, lists_for
from polymatch.search.scores import best
from polymatch.surrogate import distance_moments

from .small_runs import KINDS, TEST

PAIRWISE = ("pairwise", "saf", "sgr", "sgraf")


@given(st.integers(0, 2**31))
def test_points_order_as_inner_products_and_expected_distances(seed):
    random = torch.Generator().manual_seed(seed)
    vectors = torch.randn(20, 6, generator=random, dtype=torch.float64)
    vectors /= 1.01 * vectors.norm(dim=1).max()
    query = torch.randn(1, 6, generator=random, dtype=torch.float64)
    distance = torch.cdist(unit_point(vectors), caption_point(query))[:, 0].square()
    torch.testing.assert_close(distance, 1 + query.square().sum() - 2 * vectors @ query[0])
    logvar = torch.randn(21, 6, generator=random, dtype=torch.float64)
    ed, _ = distance_moments(vectors, logvar[1:], query, logvar[:1])
    distance = torch.cdist(distance_point(vectors, logvar[1:]), caption_point(query)).square()
    torch.testing.assert_close(distance + logvar[:1].exp().sum(), 6 * ed)


@pytest.mark.parametrize(("name", "kind"), [pair for pair in KINDS if pair[1] not in PAIRWISE])
def test_an_index_finds_what_a_full_search_finds(runs, capsys, name, kind):
    exact = SearchEngine.open(runs(name), kind=kind, device="cpu")
    engine = SearchEngine.open(runs(name), kind=kind, device="cpu", index=True)
    said = capsys.readouterr().err
    assert f"{name}/0, {kind}: flat index of 12 items, 12 candidates a query" in said
    assert "recall@10 1.000" in said
    again = SearchEngine.open(runs(name), kind=kind, device="cpu", index=True)
    assert again.index.found == engine.index.found
    assert capsys.readouterr().err == ""
    for caption in engine.gallery.queries.caption_ids[::4]:
        expected, found = exact.by_caption(caption, TEST), again.by_caption(caption, TEST)
        assert {hit.id for hit in found} == {hit.id for hit in expected}
        np.testing.assert_allclose(
            [hit.score for hit in found], [hit.score for hit in expected], rtol=1e-4, atol=1e-6
        )


def test_few_candidates_find_less_and_say_so(runs, capsys):
    engine = SearchEngine.open(runs("poly"), device="cpu", index=True, candidates=4)
    assert engine.index.found.candidates == 4
    assert engine.index.found.recall <= 0.4
    assert f"recall@10 {engine.index.found.recall:.3f}" in capsys.readouterr().err
    hits = engine.by_caption(engine.gallery.queries.caption_ids[0], 3)
    assert len(hits) == 3


@pytest.mark.parametrize(("name", "kind"), [pair for pair in KINDS if pair[1] in PAIRWISE])
def test_what_looks_at_pairs_has_no_index(runs, name, kind):
    family = runs(name).settings.family
    with pytest.raises(ConfigError) as raised:
        SearchEngine.open(runs(name), device="cpu", index=True)
    assert str(raised.value) == (
        f"family {family}: similarity {kind!r} looks at every pair by itself, so that no index of "
        "points finds its candidates; search all items instead (without --ann)"
    )


def test_lists_reach_the_recall_that_is_asked_for(tmp_path):
    random = np.random.default_rng(0)
    centres = random.normal(size=(64, 16))
    points = (centres[random.integers(0, 64, 6000)] + 0.3 * random.normal(size=(6000, 16))).astype(
        np.float32
    )
    queries = points[::200] + 0.05 * random.normal(size=(30, 16)).astype(np.float32)
    distance = ((queries[:, None] - points) ** 2).sum(-1)
    answers = [set(best(-row, 10).tolist()) for row in distance]

    def rescored(query, rows):
        rows = np.sort(rows[rows >= 0])
        return rows[best(-distance[query, rows], 10)]

    index = PointIndex.build(lambda: iter(np.split(points, 6)), len(points), lists=128)
    for target in (0.6, 0.95, 1.0):
        tuned = index.tuned(queries, answers, rescored, target=target)
        assert tuned.found.recall >= target
    assert 1 < tuned.found.probes <= 128
    tuned.save(tmp_path / "i.faiss")
    read = PointIndex.load(tmp_path / "i.faiss", vars(tuned.found))
    for row, query in enumerate(queries):
        assert read.search(query).tolist() == tuned.search(query).tolist()
        assert answers[row] <= set(read.search(query).tolist())


def test_large_galleries_are_divided_into_lists():
    assert [lists_for(n) for n in (1, 20_000, 20_001, 10**6, 10**8)] == [1, 1, 512, 4096, 32768]
