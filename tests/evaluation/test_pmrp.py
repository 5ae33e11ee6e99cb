"""Plausible-match R-precision against its definition, tie for tie, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.evaluation import blocks, pmrp
from polymatch.evaluation.pmrp import THRESHOLDS, pmrp_per_query


def slow(similarity, of_query, of_candidate, threshold):
    """Percentages of the rows; codes of queries and candidates, those without a 1 are left out."""
    found = []
    for scores, own in zip(similarity, of_query, strict=True):
        kept = [column for column, code in enumerate(of_candidate) if code.any()]
        matches = [np.abs(of_candidate[column] - own).sum() <= threshold for column in kept]
        r, hits = sum(matches), 0.0
        if not own.any() or r == 0:
            found.append(np.nan)
            continue
        for column, match in zip(kept, matches, strict=True):
            above = sum(scores[other] > scores[column] for other in kept)
            equal = sum(scores[other] == scores[column] for other in kept)
            hits += match * min(max(r - above, 0), equal) / equal
        found.append(100 * hits / r)
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 7),
    st.integers(1, 12),
    st.integers(1, 4),
    st.sampled_from([1, 3, 1000]),
)
def test_it_is_the_mean_over_every_order_of_the_ties(seed, items, captions, categories, levels):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 2, (items, categories))
    item_of = random.integers(0, items, captions)
    codes[item_of[0], 0] = 1
    similarity = random.integers(0, levels, (items, captions)).astype(float)
    found = pmrp_per_query(similarity, codes, item_of)
    for threshold in THRESHOLDS:
        expected = slow(similarity, codes, codes[item_of], threshold)
        np.testing.assert_allclose(found[f"v2t_{threshold}"], expected)
        expected = slow(similarity.T, codes[item_of], codes, threshold)
        np.testing.assert_allclose(found[f"t2v_{threshold}"], expected)
    means = pmrp(similarity, codes, item_of)
    of_thresholds = [found[f"t2v_{threshold}"] for threshold in THRESHOLDS]
    assert means["t2v"] == pytest.approx(np.nanmean(of_thresholds))
    assert sorted(means) == sorted(found)


def example(n=60):
    random = np.random.default_rng(0)
    codes = (random.random((n, 10)) < 0.2).astype(int)
    codes[:3] = 0
    item_of = np.repeat(np.arange(n), 5)
    similarity = random.standard_normal((n, 5 * n), np.float32)
    return similarity, codes, item_of


def test_blocks_threads_and_types_change_nothing(monkeypatch):
    similarity, codes, item_of = example()
    plain = pmrp_per_query(similarity, codes, item_of, threads=1)
    monkeypatch.setattr(blocks, "_BLOCK_ELEMENTS", 900)
    for scores in (np.asfortranarray(similarity), torch.from_numpy(similarity)):
        found = pmrp_per_query(scores, codes.astype(bool), item_of, threads=3)
        for name, values in plain.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_an_item_without_a_category_is_neither_query_nor_candidate():
    similarity, codes, item_of = example()
    left_out = pmrp(similarity, codes, item_of)
    assert np.isnan(pmrp_per_query(similarity, codes, item_of)["v2t"][:3]).all()
    assert np.isnan(pmrp_per_query(similarity, codes, item_of)["t2v"][:15]).all()
    kept = codes.any(axis=1)
    position = np.cumsum(kept) - 1
    among = similarity[kept][:, kept[item_of]]
    found = pmrp(among, codes[kept], position[item_of[kept[item_of]]])
    assert left_out == pytest.approx(found)


def test_a_constant_scorer_gets_the_share_of_matches():
    _, codes, item_of = example()
    kept = codes[codes.any(axis=1)]
    apart = np.abs(kept[:, None] - kept).sum(axis=2)
    found = pmrp(np.zeros((60, 300)), codes, item_of)
    for threshold in THRESHOLDS:
        assert found[f"v2t_{threshold}"] == pytest.approx(100 * np.mean(apart <= threshold))


def test_the_categories_themselves_score_all():
    _, codes, item_of = example()
    kept = codes[codes.any(axis=1)]
    apart = np.abs(kept[:, None] - kept[item_of[item_of < len(kept)]]).sum(axis=2)
    found = pmrp(-apart.astype(float), kept, item_of[item_of < len(kept)])
    assert set(found.values()) == {100.0}


@pytest.mark.parametrize(
    ("codes", "item_of", "message"),
    [
        (np.ones((3, 2)), [0, 1], r"shape \(2, 2\), category_codes \(3, 2\) and caption_item_ind"),
        (np.ones((2, 2)), [0], r"caption_item_index \(1,\); expected items x captions, items x c"),
        ([[1, 0], [2, 0]], [0, 1], r"category_codes: row 1 \(counted from 0\) holds other than 0"),
        (np.ones((2, 2)), [0, 2], r"other than rows of the 2 items \(from 0 to 1\); every caption"),
        (np.zeros((2, 2)), [0, 1], r"none of the 2 items has a category and a caption, so that PM"),
        (np.diag([1, 0]), [1, 1], r"none of the 2 items has a category and a caption, so that PM"),
    ],
)
def test_wrong_input_is_one_line(codes, item_of, message):
    with pytest.raises(DataError, match=message):
        pmrp(np.zeros((2, 2)), codes, item_of)
