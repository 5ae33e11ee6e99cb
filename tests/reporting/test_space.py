"""A space in two dimensions: which pairs, what PCA and the gap are, and what cannot be drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import ConfigError, DataError, NumericsError
from polymatch.models import build_model
from polymatch.reporting.figures import save_figure
from polymatch.reporting.space import group_of, joined_pairs, matched_and_unmatched, space_of
from polymatch.reporting.space_figure import largest_groups, space_figure, space_points
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.pictures import PicturesSettings
from polymatch.settings.probabilistic import ProbabilisticSettings

RANDOM = np.random.default_rng(0)
ITEMS = RANDOM.standard_normal((20, 6))
CAPTIONS = np.repeat(ITEMS, 2, axis=0) + 0.5 * RANDOM.standard_normal((40, 6))
MATCHES = np.stack([np.repeat(np.arange(20), 2), np.arange(40)], axis=1)
SETTINGS = PicturesSettings(pairs=12, perplexity=5)


@pytest.fixture(scope="module")
def space():
    return space_of(ITEMS, CAPTIONS, MATCHES, SETTINGS)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20)), min_size=1, unique=True),
    st.integers(1, 12),
    st.integers(0, 5),
)
def test_every_drawn_item_comes_once_with_one_of_its_captions(matches, number, seed):
    pairs = joined_pairs(np.array(matches), number, seed)
    assert set(map(tuple, pairs.tolist())) <= set(matches)
    assert len(pairs) == len(set(pairs[:, 0])) == min(number, len({item for item, _ in matches}))
    np.testing.assert_array_equal(pairs, joined_pairs(np.array(matches), number, seed))


def test_another_seed_draws_others():
    one, other = (joined_pairs(MATCHES, 12, seed).tolist() for seed in (0, 1))
    assert one != other


def test_pca_is_that_of_the_singular_values_of_unit_vectors(space):
    drawn = np.concatenate([ITEMS[space.pairs[:, 0]], CAPTIONS[space.pairs[:, 1]]])
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(unit - unit.mean(0), full_matrices=False)
    np.testing.assert_allclose(space.explained, values**2 / np.sum(values**2))
    found = np.concatenate([space.pca.items, space.pca.captions])
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :2] * values[:2]), atol=1e-9)


def test_tsne_keeps_matched_pairs_together_and_repeats_itself(space):
    again = space_of(ITEMS, CAPTIONS, MATCHES, SETTINGS)
    np.testing.assert_array_equal(space.tsne.items, again.tsne.items)
    assert space.perplexity == 5
    between = np.linalg.norm(space.tsne.items[:, None] - space.tsne.captions, axis=-1)
    assert np.mean(np.diag(between)) < 0.5 * np.mean(between)


def test_the_gap_is_between_the_mean_unit_vectors_of_all():
    away = CAPTIONS + np.array([9, 0, 0, 0, 0, 0])
    means = [np.mean([x / np.linalg.norm(x) for x in side], axis=0) for side in (ITEMS, away)]
    gap = space_of(ITEMS, away, MATCHES, SETTINGS).gap
    assert gap == pytest.approx(np.linalg.norm(means[0] - means[1])) and gap > 0.5


def test_few_points_lower_the_perplexity_and_one_dimension_is_drawn_flat():
    items, captions = np.array([[1.0], [2.0], [-1.0]]), -np.ones((3, 1))
    few = space_of(items, captions, np.array([[0, 0], [1, 1], [2, 2]]), SETTINGS)
    assert few.perplexity == pytest.approx(5 / 3)
    assert few.pca.items.shape == (3, 2) and np.ptp(few.pca.items[:, 1]) == 0
    assert np.isfinite(few.tsne.items).all()


@pytest.mark.parametrize(
    ("items", "captions", "message"),
    [
        (ITEMS, CAPTIONS[:, :5], r"items have vectors of shape \(6,\) and captions \(5,\); only"),
        (
            ITEMS * [[0]] * 20,
            CAPTIONS,
            r"20 item vector\(s\) are zero or not finite, the first in row 0",
        ),
        (
            ITEMS,
            np.where(np.arange(40)[:, None] == 7, np.nan, CAPTIONS),
            r"1 caption vector.* row 7",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(items, captions, message):
    with pytest.raises(NumericsError, match=message):
        space_of(items, captions, MATCHES, SETTINGS)


def test_a_collapsed_head_is_called_one():
    with pytest.raises(NumericsError, match=r"^all vectors are one and the same: the head has col"):
        space_of(np.ones((20, 6)), np.ones((40, 6)), MATCHES, SETTINGS)


def test_two_items_are_no_space():
    with pytest.raises(NumericsError, match=r"^2 item\(s\) with a caption; a space is drawn of 3"):
        space_of(ITEMS, CAPTIONS, MATCHES[:4], SETTINGS)


def test_similarities_of_matched_and_unmatched_pairs_are_a_split_of_the_matrix():
    similarity = ITEMS @ CAPTIONS.T
    matched, unmatched = matched_and_unmatched(similarity, MATCHES, seed=0)
    mask = np.zeros(similarity.shape, bool)
    mask[tuple(MATCHES.T)] = True
    np.testing.assert_array_equal(np.sort(matched), np.sort(similarity[mask]))
    np.testing.assert_array_equal(np.sort(unmatched), np.sort(similarity[~mask]))
    with pytest.raises(DataError, match=r"shape \(19, 40\), but the split has at least 20 items"):
        matched_and_unmatched(similarity[:19], MATCHES, seed=0)


def test_of_a_large_matrix_a_sample_without_the_matches_is_looked_at():
    rows = np.arange(600)
    similarity = np.eye(600, dtype=np.float32)
    matched, unmatched = matched_and_unmatched(similarity, np.stack([rows, rows], 1), seed=0)
    assert (matched == 1).all() and (unmatched == 0).all()
    assert 100_000 < len(unmatched) < 200_000


def test_items_are_coloured_by_their_subgroup_or_else_their_group():
    manifest = pd.DataFrame({"item_id": ["a", "b"], "group_id": ["g", "h"], "subgroup": ["x", "y"]})
    assert group_of(manifest, ["b", "a"], "subgroup") == ["y", "x"]
    assert group_of(manifest.drop(columns="subgroup"), ["b", "a"], "subgroup") == ["h", "g"]
    assert group_of(manifest.assign(subgroup=[None, "y"]), ["a", "b"], "subgroup") == ["g", "h"]


def test_the_largest_groups_have_a_colour_and_single_items_none():
    groups = ["b", "a", "c", "c", "b", "a", "c", "d"]
    assert largest_groups(groups, 8) == ["c", "a", "b"]
    assert largest_groups(groups, 1) == ["c"] and largest_groups(groups, 0) == []


def test_the_figure_says_what_it_shows_and_is_the_same_every_time(space, tmp_path):
    groups = ["x"] * 5 + [str(i) for i in range(7)]
    for name in ("one.pdf", "two.pdf"):
        similarities = matched_and_unmatched(ITEMS @ CAPTIONS.T, MATCHES, 0)
        points = space_points(space, [f"i{n}" for n in range(12)], groups, similarities)
        figure = space_figure(points, "cosine", 8, "a model")
        save_figure(figure, [tmp_path / name])
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    pca, tsne, explained, similarity = figure.axes
    assert pca.get_xlabel() == f"first component ({space.explained[0]:.1%} of the variance)"
    assert tsne.get_title() == "t-SNE (perplexity 5)"
    assert explained.lines[0].get_ydata()[-1] == pytest.approx(100)
    assert similarity.get_xlabel() == "similarity (cosine)"
    assert figure.get_suptitle() == f"a model; modality gap {space.gap:.2f}"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][3:] == ["1  x (5)"]
    for axes in (pca, tsne):
        assert len(axes.collections[0].get_segments()) == 12
    plt.close(figure)


def test_a_models_vectors_are_what_it_encodes_or_its_means():
    entry = {"family": "probabilistic", "loss": "mean", "similarities": ["mean"], "hidden": 4}
    model = build_model(ProbabilisticSettings.model_validate(entry), 6, 6).eval()
    items, captions = (
        model.encode_items(torch.randn(3, 6)),
        model.encode_captions(torch.randn(4, 6)),
    )
    assert model.vectors(items, captions)[0] is items.mu
    assert model.vectors(items, captions)[1] is captions.mu
    plain = build_model(AlignedSettings(family="aligned"), 6, 6)
    vectors = plain.vectors(plain.encode_items(items.mu), plain.encode_captions(captions.mu))
    torch.testing.assert_close(vectors[0] @ vectors[1].T, items.mu @ captions.mu.T)
    with pytest.raises(ConfigError, match=r"^family aligned: what it encodes is no single vector;"):
        plain.vectors(items, captions)
