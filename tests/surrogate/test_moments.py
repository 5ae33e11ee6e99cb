"""distance_moments against the broadcast form, its gradients, and what it refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.errors import NumericsError
from polymatch.surrogate import distance_moments, paired_distance_moments

SHAPES = [(1, 1, 1), (1, 4, 3), (5, 2, 7), (40, 60, 64), (30, 20, 600)]


def naive_moments(mu_a, logvar_a, mu_b, logvar_b):
    """The definition, N x M x D."""
    difference = mu_a[:, None] - mu_b[None]
    variance = logvar_a.exp()[:, None] + logvar_b.exp()[None]
    dim = mu_a.shape[1]
    ed = (difference**2 + variance).sum(-1) / dim
    vd = (2 * variance**2 + 4 * difference**2 * variance).sum(-1) / dim**2
    return ed, vd


def gaussians(n, m, dim, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn((rows, dim), generator=generator, dtype=dtype) for rows in (n, n, m, m)]
    mu_a, mu_b = (torch.nn.functional.normalize(x + 0.3, dim=1) for x in (draw[0], draw[2]))
    return mu_a, draw[1] - 3, mu_b, draw[3] - 3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_definition(shape, dtype):
    sides = gaussians(*shape, dtype=dtype)
    ed, vd = distance_moments(*sides)
    expected_ed, expected_vd = naive_moments(*(x.double() for x in sides))
    assert ed.dtype == vd.dtype == torch.float64
    assert ed.shape == vd.shape == shape[:2]
    torch.testing.assert_close(ed, expected_ed, rtol=1e-8, atol=0)
    torch.testing.assert_close(vd, expected_vd, rtol=1e-6, atol=0)


def test_distance_of_nearly_equal_means_does_not_cancel():
    mu = torch.nn.functional.normalize(torch.randn(20, 700), dim=1)
    near = mu + 1e-5 * torch.randn(20, 700)
    logvar = torch.full_like(mu, -30.0)
    ed, _ = distance_moments(mu, logvar, near, logvar)
    expected, _ = naive_moments(*(x.double() for x in (mu, logvar, near, logvar)))
    torch.testing.assert_close(ed.diagonal(), expected.diagonal(), rtol=1e-6, atol=0)


def test_wide_variances_keep_the_logit_to_1e_6():
    sides = gaussians(30, 40, 1024)
    sides = (sides[0], sides[1] + 1, sides[2], sides[3] + 1)
    ed, vd = distance_moments(*sides)
    expected_ed, expected_vd = naive_moments(*(x.double() for x in sides))
    scale, dim = 0.1, 1024
    # Second-order logit of the published scale: -scale E + scale^2 / 2 Var, undivided by D.
    logit = -scale * dim * ed + scale**2 / 2 * dim**2 * vd
    expected = -scale * dim * expected_ed + scale**2 / 2 * dim**2 * expected_vd
    assert (logit - expected).abs().max() < 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_equal_those_of_the_definition(shape):
    sides = gaussians(*shape)
    fast = [x.clone().requires_grad_() for x in sides]
    slow = [x.double().requires_grad_() for x in sides]
    ed, vd = distance_moments(*fast)
    expected_ed, expected_vd = naive_moments(*slow)
    weights = torch.randn(2, *shape[:2], dtype=torch.float64)
    (weights[0] * ed * shape[2] + weights[1] * vd * shape[2] ** 2).sum().backward()
    (
        weights[0] * expected_ed * shape[2] + weights[1] * expected_vd * shape[2] ** 2
    ).sum().backward()
    for a, b in zip(fast, slow, strict=True):
        assert a.grad.dtype == torch.float32
        torch.testing.assert_close(
            a.grad.double(), b.grad, rtol=1e-5, atol=1e-5 * float(b.grad.abs().max())
        )


def test_gradcheck_in_float64():
    sides = [x.requires_grad_() for x in gaussians(3, 2, 4, dtype=torch.float64)]
    assert torch.autograd.gradcheck(distance_moments, sides)
    pairs = [x.requires_grad_() for x in gaussians(3, 3, 4, dtype=torch.float64)]
    assert torch.autograd.gradcheck(paired_distance_moments, pairs)


def test_gradient_and_plain_paths_agree():
    sides = gaussians(9, 11, 600)
    plain = distance_moments(*sides)
    tracked = distance_moments(*(x.clone().requires_grad_() for x in sides))
    for a, b in zip(plain, tracked, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-6, atol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 10**6))
def test_exchange_of_sides_transposes(n, m, dim, seed):
    mu_a, logvar_a, mu_b, logvar_b = gaussians(n, m, dim, seed)
    forward = distance_moments(mu_a, logvar_a, mu_b, logvar_b)
    backward = distance_moments(mu_b, logvar_b, mu_a, logvar_a)
    for a, b in zip(forward, backward, strict=True):
        torch.testing.assert_close(a, b.T, rtol=1e-12, atol=1e-14)
        assert (a > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 10**6))
def test_pairs_are_the_diagonal(n, dim, seed):
    sides = gaussians(n, n, dim, seed)
    for pair, matrix in zip(paired_distance_moments(*sides), distance_moments(*sides), strict=True):
        torch.testing.assert_close(pair, matrix.diagonal(), rtol=1e-9, atol=1e-12)


def test_a_pair_does_not_depend_on_the_rest_of_the_batch():
    sides = gaussians(40, 50, 600)
    whole = distance_moments(*sides)
    part = distance_moments(sides[0][7:8], sides[1][7:8], sides[2][9:10], sides[3][9:10])
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a[7:8, 9:10], b, rtol=1e-6, atol=0)


def test_numpy_in_numpy_out():
    sides = gaussians(4, 5, 6)
    arrays = [x.numpy() for x in sides]
    for a, b in zip(distance_moments(*arrays), distance_moments(*sides), strict=True):
        assert isinstance(a, np.ndarray) and a.dtype == np.float64
        np.testing.assert_array_equal(a, b.numpy())
    ed, vd = paired_distance_moments(arrays[0], arrays[1], arrays[0], arrays[1])
    assert isinstance(ed, np.ndarray) and ed.shape == vd.shape == (4,)


def test_half_precision_is_widened():
    sides = gaussians(3, 4, 8)
    halves = [x.half() for x in sides]
    ed, _ = distance_moments(*halves)
    expected, _ = distance_moments(*(x.float() for x in halves))
    torch.testing.assert_close(ed, expected)


def test_no_items_make_an_empty_matrix():
    ed, vd = distance_moments(*gaussians(0, 3, 4))
    assert ed.shape == vd.shape == (0, 3)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (2, 3), (2, 4), (2, 4)), "mu_a has width 3 and mu_b 4"),
        (((2, 3), (3, 3), (2, 3), (2, 3)), r"mu_a is \[2, 3\] and logvar_a \[3, 3\]"),
        (((3,), (3,), (2, 3), (2, 3)), r"mu_a is \[3\]"),
        (((2, 0), (2, 0), (2, 0), (2, 0)), r"mu_a is \[2, 0\]"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes, message):
    with pytest.raises(NumericsError, match=message):
        distance_moments(*(np.zeros(shape) for shape in shapes))


def test_unequal_pairs_are_named():
    with pytest.raises(NumericsError, match="2 rows on side a and 3 on b"):
        paired_distance_moments(*(np.zeros((n, 4)) for n in (2, 2, 3, 3)))
