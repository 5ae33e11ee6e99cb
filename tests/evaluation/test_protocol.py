"""Several captions an item: text-to-visual ranks each item once, whatever its captions are.

The slow twin is a fault that published code has: one row of the gallery for each caption, so that
an item's copies push all others down by as many places as it has captions.
"""

from __future__ import annotations

import numpy as np
import pytest

from polymatch.evaluation import retrieval_metrics

ITEMS, EACH = 30, 5
ITEM_OF = np.repeat(np.arange(ITEMS), EACH)


@pytest.fixture
def similarity():
    """A scorer that is right now and then: [items, captions], no ties."""
    random = np.random.default_rng(3)
    scores = random.standard_normal((ITEMS, ITEMS * EACH))
    scores[ITEM_OF, np.arange(ITEMS * EACH)] += 1.5
    return scores


def ranks_of_text_queries(similarity, copies):
    """Rank of the right item for each caption; ``copies`` rows an item, its best copy counts."""
    ranks = []
    for caption, item in enumerate(ITEM_OF):
        gallery = [(similarity[row, caption], row) for row in range(ITEMS) for _ in range(copies)]
        order = [row for _, row in sorted(gallery, reverse=True)]
        ranks.append(1 + order.index(item))
    return np.array(ranks)


def recall(ranks, k):
    return 100 * np.mean(ranks <= k)


def test_text_to_visual_counts_an_item_once(similarity):
    found = retrieval_metrics(similarity, range(ITEMS), ITEM_OF)
    once = ranks_of_text_queries(similarity, copies=1)
    for k in (1, 5, 10):
        assert found[f"t2v_r{k}"] == pytest.approx(recall(once, k))
    assert found["t2v_medr"] == np.median(once)


def test_a_gallery_with_an_item_for_each_caption_hides_what_is_at_rank_2_to_5(similarity):
    found = retrieval_metrics(similarity, range(ITEMS), ITEM_OF)
    copied = ranks_of_text_queries(similarity, copies=EACH)
    assert recall(copied, 1) == pytest.approx(found["t2v_r1"])
    # The first five places are one item's: nothing can be right at 5 that was not at 1.
    assert recall(copied, 5) == recall(copied, 1)
    assert found["t2v_r5"] > recall(copied, 5) + 10
    assert found["t2v_r5"] == pytest.approx(recall(copied, 5 * EACH))


def test_visual_to_text_takes_the_best_caption_of_the_item(similarity):
    found = retrieval_metrics(similarity, range(ITEMS), ITEM_OF)
    ranks = []
    for item, line in enumerate(similarity):
        of_item = ITEM_OF[np.argsort(-line)]
        ranks.append(1 + of_item.tolist().index(item))
    assert found["v2t_r1"] == pytest.approx(recall(np.array(ranks), 1))
    assert found["v2t_meanr"] == pytest.approx(np.mean(ranks))


def test_recall_at_50_and_average_precision_come_with_the_others(similarity):
    found = retrieval_metrics(similarity, range(ITEMS), ITEM_OF, recall_at=(1, 5, 10, 50))
    assert found["t2v_r50"] == 100.0  # a gallery of 30
    assert found["v2t_r10"] < found["v2t_r50"] <= 100.0
    precisions = []
    for item, line in enumerate(similarity):
        right = ITEM_OF[np.argsort(-line)] == item
        precisions.append(np.mean([right[: p + 1].mean() for p in np.flatnonzero(right)]))
    assert found["v2t_map"] == pytest.approx(100 * np.mean(precisions))
    text = ranks_of_text_queries(similarity, copies=1)
    assert found["t2v_map"] == pytest.approx(100 * np.mean(1 / text))
