"""Moments added up in blocks against the covariances of whole arrays."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular, svd

from polymatch.data.splits import TrainingSet
from polymatch.errors import DataError, NumericsError
from polymatch.models.cca import Alignment, CanonicalBases, choose_alignment
from polymatch.models.pair_moments import pair_moments, unit_rows
from polymatch.settings.stages import AlignmentSettings

from ..stored_sets import tables


def example(items, captions, seed=0, widths=(7, 4)):
    """Features far from zero mean, captions in any order of their items, some items without."""
    random = np.random.default_rng(seed)
    pairs = random.integers(0, items, captions)
    x = (3 + random.normal(size=(items, widths[0]))).astype(np.float32)
    y = (random.normal(size=(captions, widths[1])) - 2).astype(np.float32)
    return TrainingSet(x, y, pairs, np.arange(captions))


def whole(train, root):
    """The same from arrays of one row a caption, each side in memory."""
    x, y = unit_rows(train.items, root)[train.pairs], unit_rows(train.captions)
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    return x_mean, y_mean, x.T @ x / len(x), y.T @ y / len(x), x.T @ y / len(x)


@given(st.integers(1, 9), st.integers(1, 25), st.integers(1, 30), st.integers(0, 99))
def test_blocks_of_any_size_give_the_moments_of_the_whole(items, captions, rows, seed):
    train = example(items, captions, seed)
    for moments in pair_moments(train, [0.5, 1.0], block_rows=rows):
        parts = (moments.item_mean, moments.caption_mean)
        parts += (moments.items, moments.captions, moments.cross)
        for part, expected in zip(parts, whole(train, moments.root), strict=True):
            np.testing.assert_allclose(part, expected, atol=1e-14)


def test_the_alignment_is_that_of_the_whole_to_the_tenth_digit():
    """Canonical correlation written out over whole arrays, as it would be without blocks."""
    train, shrinkage = example(120, 400), 0.1
    (moments,) = pair_moments(train, [0.5], block_rows=37)
    bases = CanonicalBases.fit(moments, shrinkage)
    x_mean, y_mean, xx, yy, xy = whole(train, 0.5)
    factors = [
        cholesky(c + shrinkage * np.trace(c) / len(c) * np.eye(len(c)), lower=True)
        for c in (xx, yy)
    ]
    between = solve_triangular(factors[0], xy, lower=True)
    between = solve_triangular(factors[1], between.T, lower=True).T
    u, correlations, vt = svd(between, full_matrices=False)
    np.testing.assert_allclose(bases.correlations, correlations, atol=1e-10)
    for basis, factor, vectors in (
        (bases.item_basis, factors[0], u),
        (bases.caption_basis, factors[1], vt.T),
    ):
        expected = solve_triangular(factor, vectors, lower=True, trans="T")
        sign = np.sign((basis * expected).sum(0))
        np.testing.assert_allclose(basis, expected * sign, atol=1e-10)
    np.testing.assert_allclose(bases.item_mean, x_mean, atol=1e-14)
    np.testing.assert_allclose(bases.caption_mean, y_mean, atol=1e-14)


def test_a_large_mean_beside_small_deviations_loses_no_digits():
    random = np.random.default_rng(0)
    items = 1000 + random.normal(size=(50, 3))
    train = TrainingSet(items, items, np.arange(50), np.arange(50))
    (moments,) = pair_moments(train, [1.0], block_rows=7)
    expected = np.cov(unit_rows(items).T, bias=True)
    np.testing.assert_allclose(moments.items, expected, rtol=1e-8)
    np.testing.assert_allclose(moments.cross, expected, rtol=1e-8)


def test_stores_give_the_alignment_of_arrays(tmp_path):
    reader, _ = tables(tmp_path, items=40, captions=110, widths=(6, 5))
    val = reader.retrieval_set("val", ["name"])
    settings = AlignmentSettings(width=[2, 4], shrinkage=[0.1, 1.0])
    ours, table = choose_alignment(reader.stored_training_set("train", ["name"]), val, settings)
    other, same = choose_alignment(reader.training_set("train", ["name"]), val, settings)
    assert table.equals(same)
    np.testing.assert_array_equal(ours.items(val.items), other.items(val.items))
    np.testing.assert_array_equal(ours.captions(val.captions), other.captions(val.captions))


def test_features_are_mapped_in_blocks_as_at_once():
    random = np.random.default_rng(0)
    features = random.normal(size=(9000, 1024)).astype(np.float32)  # two blocks
    weights, mean = random.normal(size=(1024, 3)), random.normal(size=1024)
    alignment = Alignment(mean, weights, mean, weights, root=0.5)
    assert alignment.width == 3
    expected = unit_rows((unit_rows(features, 0.5) - mean) @ weights)
    np.testing.assert_allclose(alignment.items(features), expected, atol=1e-14)


def test_a_singular_covariance_names_the_setting():
    train = TrainingSet(np.ones((4, 3)), np.ones((4, 2)), np.arange(4), np.arange(4))
    with pytest.raises(NumericsError, match=r"alignment\.shrinkage: the covariance is singular at"):
        CanonicalBases.fit(*pair_moments(train, [1.0]), 0.1)


def test_a_broken_feature_stops_the_pass_with_its_id(tmp_path):
    reader, _ = tables(tmp_path, items=6, captions=20, widths=(3, 2))
    with h5py.File(tmp_path / "c.h5", "a") as file:
        row = file["ids"][:].tolist().index(b"c7")
        file["features"][row] = np.nan
    with pytest.raises(DataError, match=rf"c\.h5: features of 'c7' \(row {row + 1}\) hold NaN"):
        pair_moments(reader.stored_training_set("train", ["name"]), [1.0], block_rows=4)
