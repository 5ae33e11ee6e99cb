"""The fitted region: hulls, segments, single points."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from polymatch.errors import NumericsError
from polymatch.surrogate import FittedRegion


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 60))
def test_outside_is_outside_of_every_triangle(seed, count):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 2)) * (1e-3, 1e-7) + (0.02, 1e-5)
    region = FittedRegion.of_points(points[:, 0], points[:, 1])
    probes = rng.normal(size=(200, 2)) * (2e-3, 2e-7) + (0.02, 1e-5)
    scaled = (points - region.centre) / region.scale
    triangles = Delaunay(scaled)
    expected = triangles.find_simplex((probes - region.centre) / region.scale) < 0
    got = region.outside(probes[:, 0], probes[:, 1])
    assert (got == expected).mean() > 0.99  # the tolerance may decide a point on the edge
    assert not region.outside(points[:, 0], points[:, 1]).any()


def test_points_on_a_line_make_a_segment():
    ed = np.linspace(0.01, 0.02, 500)
    region = FittedRegion.of_points(ed, 3 * ed + 1e-3)
    assert len(region.vertices) == 2
    probes = np.array([0.015, 0.0201, 0.0099, 0.015])
    shift = np.array([0.0, 0.0, 0.0, 1e-5])
    outside = region.outside(probes, 3 * probes + 1e-3 + shift)
    assert outside.tolist() == [False, True, True, True]


def test_a_horizontal_line_is_a_segment_too():
    region = FittedRegion.of_points(np.linspace(0, 1, 9), np.full(9, 2.0))
    assert region.outside(np.array([0.5, 0.5, 1.5]), np.array([2.0, 2.1, 2.0])).tolist() == [
        False,
        True,
        True,
    ]


def test_a_circle_keeps_at_most_256_vertices():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    region = FittedRegion.of_points(np.cos(angle), np.sin(angle))
    assert 128 <= len(region.vertices) <= 256
    assert region.outside_share(0.999 * np.cos(angle), 0.999 * np.sin(angle)) == 0
    assert region.outside_share(1.001 * np.cos(angle), 1.001 * np.sin(angle)) == 1


def test_any_shape_tensors_and_nan():
    region = FittedRegion.of_points(np.array([0.0, 1, 1, 0]), np.array([0.0, 0, 1, 1]))
    ed = torch.tensor([[0.5, 2.0], [float("nan"), 0.1]])
    assert region.outside(ed, torch.full((2, 2), 0.5)).tolist() == [[False, True], [True, False]]
    assert region.outside_share(ed, torch.full((2, 2), 0.5)) == 0.5


def test_survives_json():
    rng = np.random.default_rng(0)
    region = FittedRegion.of_points(rng.random(50), rng.random(50))
    again = FittedRegion.from_json(region.to_json())
    np.testing.assert_array_equal(region.vertices, again.vertices)
    probes = rng.random((2, 300)) * 1.2
    np.testing.assert_array_equal(region.outside(*probes), again.outside(*probes))


def test_one_point_and_nan_are_refused():
    with pytest.raises(NumericsError, match="all points are the same"):
        FittedRegion.of_points(np.ones(5), np.ones(5))
    with pytest.raises(NumericsError, match="must be finite"):
        FittedRegion.of_points(np.array([1.0, np.nan]), np.ones(2))
