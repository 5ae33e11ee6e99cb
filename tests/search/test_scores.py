"""The best of many, and galleries that are not prepared as a whole."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.search import scores as module
from polymatch.search.engine import SearchEngine
from polymatch.search.scores import best


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 50))
def test_best_is_a_stable_sort(values, k):
    scores = np.array(values, dtype=np.float32)
    slow = sorted(range(len(values)), key=lambda row: (-values[row], row))[:k]
    assert best(scores, k).tolist() == slow


@pytest.mark.parametrize(("name", "kind"), [("poly", "poly"), ("pcme", "mc"), ("dual", "hybrid")])
def test_blocks_of_a_large_gallery_score_as_the_whole(runs, monkeypatch, name, kind):
    whole = SearchEngine.open(runs(name), kind=kind, device="cpu")
    caption = whole.gallery.queries.caption_ids[1]
    monkeypatch.setattr(module, "HELD", 10)
    monkeypatch.setattr(module, "_ROWS", 5)
    blocks = SearchEngine.open(runs(name), kind=kind, device="cpu")
    expected, found = whole.by_caption(caption, 12), blocks.by_caption(caption, 12)
    np.testing.assert_allclose(
        [hit.score for hit in found], [hit.score for hit in expected], rtol=1e-5
    )


def test_ranges_are_those_of_the_whole_matrix(runs):
    engine = SearchEngine.open(runs("dual"), kind="hybrid", device="cpu")
    model, items, captions = engine.model, engine.items, engine.sides.captions
    for kind, (low, high) in engine.scorer._ranges.items():
        matrix = model.similarity(items, captions, kind)
        assert (low, high) == pytest.approx((float(matrix.min()), float(matrix.max())))
    assert torch.is_tensor(items.latent)
