"""Every estimator of the match probability against quadrature, sampling and closed cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from polymatch.errors import NumericsError
from polymatch.surrogate import (
    log_probability_from_moments,
    match_logit,
    match_probability,
    paired_distance_moments,
)
from polymatch.surrogate.inversion import log_match_probability
from polymatch.surrogate.monte_carlo import grouped_monte_carlo_logs, monte_carlo_logs
from polymatch.surrogate.probability import METHODS


def gaussians(pairs, dim, level=-3.0, spread=0.5, seed=0):
    rng = np.random.default_rng(seed)
    mu_a, mu_b = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, pairs, dim))
    )
    logvar_a, logvar_b = level + spread * rng.normal(size=(2, pairs, dim))
    return mu_a, logvar_a, mu_b, logvar_b


def isotropic_by_quadrature(square, variance, dim, scale, shift):
    """E[sigmoid(shift - scale Q)], Q / variance noncentral chi-square: an integral of densities."""
    law = stats.ncx2(dim, square / variance, scale=variance)
    low, high = np.sqrt(law.ppf(1e-15)), np.sqrt(law.isf(1e-15))
    nodes, weights = special.roots_legendre(400)
    # By x = y^2: the density of few dimensions has a root at zero.
    y = low + (high - low) * (nodes + 1) / 2
    values = 2 * y * law.pdf(y**2) * special.expit(shift - scale * y**2)
    return float(np.sum(weights * values) * (high - low) / 2)


@pytest.mark.parametrize(
    ("square", "logvar", "dim", "scale", "shift"),
    [
        (1.2, -5.0, 256, 0.1, 0.0),
        (2.0, -3.0, 64, 1.0, 3.0),
        (0.3, -2.0, 16, 5.0, 10.0),
        (4.0, 0.0, 8, 0.5, 6.0),
        (1.0, 1.0, 3, 0.1, 2.0),
        (0.5, -4.0, 128, 2.0, 12.0),
    ],
)
def test_exact_equals_quadrature_of_the_noncentral_chi_square(square, logvar, dim, scale, shift):
    mu_a = np.zeros((1, dim))
    mu_b = np.full((1, dim), np.sqrt(square / dim))
    flat = np.full((1, dim), logvar)
    expected = isotropic_by_quadrature(square, 2 * np.exp(logvar), dim, scale, shift)
    got = match_probability(mu_a, flat, mu_b, flat, scale, shift)
    assert abs(got[0] - expected) < 1e-10
    # The same without the short cut for equal variances.
    uneven = flat + 1e-12 * np.arange(dim)
    got = match_probability(mu_a, uneven, mu_b, flat, scale, shift)
    assert abs(got[0] - expected) < 1e-9


def test_exact_in_one_dimension_equals_an_integral_over_the_normal():
    mu_a, mu_b, logvar_a, logvar_b = 0.3, -0.8, -0.5, 0.7
    deviation = np.sqrt(np.exp(logvar_a) + np.exp(logvar_b))

    def integrand(z):
        return stats.norm.pdf(z) * special.expit(1.5 - 2.0 * (mu_a - mu_b + deviation * z) ** 2)

    expected = integrate.quad(integrand, -12, 12, points=[-1, 0, 1], epsabs=1e-13, limit=400)[0]
    sides = (np.full((1, 1), x) for x in (mu_a, logvar_a, mu_b, logvar_b))
    assert abs(match_probability(*sides, 2.0, 1.5)[0] - expected) < 1e-11


def gil_pelaez(variance, square, scale, shift, nodes=300, end=12.0):
    """The textbook inversion on the imaginary axis, by Gauss-Legendre."""
    points, weights = special.roots_legendre(nodes)
    t = end * (points + 1) / 2
    base = 1 - 2j * scale * t[:, None] * -variance  # E[e^{-i t scale Q}] has 1 + 2 i t scale s
    phi = np.exp(-0.5 * np.log(base).sum(1) - 1j * t * scale * (square / base).sum(1))
    logistic = np.pi * t / np.sinh(np.pi * t)
    integrand = (np.exp(1j * t * shift) * phi * logistic).imag / t
    return 0.5 + np.sum(weights * integrand) * end / 2 / np.pi


@pytest.mark.parametrize(("scale", "shift"), [(0.1, 0.0), (0.1, 5.0), (1.0, 4.0), (5.0, 12.0)])
def test_exact_equals_gil_pelaez(scale, shift):
    mu_a, logvar_a, mu_b, logvar_b = sides = gaussians(4, 20)
    got = match_probability(*sides, scale, shift)
    for row in range(4):
        variance = np.exp(logvar_a[row]) + np.exp(logvar_b[row])
        expected = gil_pelaez(variance, (mu_a[row] - mu_b[row]) ** 2, scale, shift)
        assert abs(got[row] - expected) < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_without_variance_it_is_the_sigmoid(method):
    mu_a, _, mu_b, _ = gaussians(6, 12)
    none = np.full((6, 12), -60.0)
    for scale, shift in ((0.1, 0.0), (3.0, 2.0), (400.0, 0.0), (1.0, 45.0)):
        expected = shift - scale * ((mu_a - mu_b) ** 2).sum(1)
        logit = match_logit(mu_a, none, mu_b, none, scale, shift, method)
        np.testing.assert_allclose(logit, expected, rtol=1e-5, atol=1e-5)
        p = match_probability(mu_a, none, mu_b, none, scale, shift, method)
        np.testing.assert_allclose(p, special.expit(expected), rtol=1e-3)


def test_deep_tail_is_the_expected_exponential():
    # Where dist^2 is never small, sigmoid(x) = e^x to within e^x, and E[e^x] is closed.
    mu_a, logvar_a, mu_b, logvar_b = sides = gaussians(5, 256, level=1.0, spread=0.3)
    variance = np.exp(logvar_a) + np.exp(logvar_b)
    square = (mu_a - mu_b) ** 2
    for scale in (0.1, 1.0, 10.0):
        grown = 1 + 2 * scale * variance
        expected = -0.5 * np.log(grown).sum(1) - (scale * square / grown).sum(1)
        np.testing.assert_allclose(match_logit(*sides, scale, 0.0), expected, rtol=1e-9)


def test_probability_near_one_keeps_its_complement():
    mu_a, logvar_a, mu_b, logvar_b = sides = gaussians(5, 8, level=-4.0)
    variance, square = np.exp(logvar_a) + np.exp(logvar_b), (mu_a - mu_b) ** 2
    grown = 1 - 2 * 0.1 * variance
    expected = -40 - 0.5 * np.log(grown).sum(1) + (0.1 * square / grown).sum(1)
    np.testing.assert_allclose(match_logit(*sides, 0.1, 40.0), -expected, rtol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 30),
    st.floats(-8, 2),
    st.floats(0.05, 20),
    st.floats(-5, 20),
    st.integers(0, 10**6),
)
def test_exact_is_a_probability_symmetric_and_falls_with_scale(
    pairs, dim, level, scale, shift, seed
):
    mu_a, logvar_a, mu_b, logvar_b = gaussians(pairs, dim, level, seed=seed)
    logit = match_logit(mu_a, logvar_a, mu_b, logvar_b, scale, shift)
    assert np.isfinite(logit).all()
    swapped = match_logit(mu_b, logvar_b, mu_a, logvar_a, scale, shift)
    np.testing.assert_allclose(logit, swapped, rtol=1e-9, atol=1e-9)
    assert (match_logit(mu_a, logvar_a, mu_b, logvar_b, 1.1 * scale, shift) < logit).all()
    assert (match_logit(mu_a, logvar_a, mu_b, logvar_b, scale, shift + 0.1) > logit).all()
    assert (logit < shift).all()


def test_dimensions_of_equal_variance_may_be_given_as_one():
    rng = np.random.default_rng(0)
    counts = np.array([3, 1, 5])
    variance, square = rng.random((4, 3)), rng.random((4, 3))
    groups = log_match_probability(
        *(torch.from_numpy(x) for x in (variance, square, counts.astype(float))), 1.0, 2.0
    )
    each = [torch.from_numpy(np.repeat(x, counts, axis=1)) for x in (variance, square / counts)]
    single = log_match_probability(*each, torch.ones(9, dtype=torch.float64), 1.0, 2.0)
    for a, b in zip(groups, single, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=0)


@pytest.mark.parametrize("spread", [0.0, 0.7])
@pytest.mark.parametrize(("scale", "shift"), [(0.1, 0.0), (1.0, 3.0)])
def test_monte_carlo_is_unbiased_with_the_noise_of_the_published_estimator(spread, scale, shift):
    copies, dim, samples = 6000, 40, 10
    sides = gaussians(1, dim, level=-2.0, spread=spread)
    exact = match_probability(*sides, scale, shift)[0]
    many = [np.repeat(x, copies, axis=0).astype(np.float32) for x in sides]
    got = match_probability(*many, scale, shift, "monte_carlo", samples=samples, generator=1)
    assert abs(got.mean() - exact) < 4.5 * got.std() / np.sqrt(copies)
    # Equation 5 as it is written: K samples a side, all K x K distances.
    rng = np.random.default_rng(2)
    naive = np.empty(1500)
    for row in range(len(naive)):
        a = sides[0] + np.exp(sides[1] / 2) * rng.normal(size=(samples, dim))
        b = sides[2] + np.exp(sides[3] / 2) * rng.normal(size=(samples, dim))
        square = ((a[:, None] - b[None]) ** 2).sum(-1)
        naive[row] = special.expit(shift - scale * square).mean()
    assert abs(naive.mean() - exact) < 4.5 * naive.std() / np.sqrt(len(naive))
    assert abs(got.std() / naive.std() - 1) < 0.1


def test_monte_carlo_with_shared_numbers_and_groups_is_unbiased():
    rng = np.random.default_rng(0)
    counts = np.array([4, 3, 3])
    square, variance_a, variance_b = (
        torch.from_numpy(np.repeat(rng.random((1, 3)), 4003, axis=0)) for _ in range(3)
    )
    exact = log_match_probability(
        (variance_a + variance_b)[:1], square[:1], torch.from_numpy(counts.astype(float)), 0.5, 2.0
    )[0].exp()
    each = [
        np.repeat(x.numpy(), counts, axis=1)
        for x in (square / torch.from_numpy(counts), variance_a, variance_b)
    ]
    each = [torch.from_numpy(np.sqrt(x)) for x in each]
    generator = torch.Generator().manual_seed(0)
    shared = monte_carlo_logs(*each, 0.5, 2.0, 6, generator, shared=8)[0].exp()
    grouped = grouped_monte_carlo_logs(
        square, variance_a, variance_b, torch.from_numpy(counts), 0.5, 2.0, 6, generator, shared=8
    )[0].exp()
    alone = monte_carlo_logs(*each, 0.5, 2.0, 6, generator)[0].exp()
    for got in (shared, grouped):
        assert got.shape == (4003,)
        # Eight of a kind: the mean is that of an eighth as many independent ones.
        assert abs(got.mean() - exact) < 4.5 * got.std() / np.sqrt(4003 / 8)
        assert abs(got.std() / alone.std() - 1) < 0.12


def test_monte_carlo_depends_on_the_seed_alone():
    sides = gaussians(50, 30)
    first, again, other = (
        match_probability(*sides, 0.1, 0.0, "monte_carlo", generator=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_more_samples_come_nearer():
    sides = gaussians(40, 30, level=-1.0)
    exact = match_probability(*sides, 0.2, 1.0)
    errors = [
        np.abs(match_probability(*sides, 0.2, 1.0, "monte_carlo", samples=k) - exact).mean()
        for k in (2, 10, 60)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


@pytest.mark.parametrize("method", ["gauss_hermite", "gamma"])
def test_moment_estimators_are_close_where_dist_is_nearly_normal(method):
    sides = gaussians(50, 256, level=-4.0)
    exact = match_logit(*sides, 0.1, 0.0)
    np.testing.assert_allclose(match_logit(*sides, 0.1, 0.0, method), exact, atol=2e-3)


def test_gauss_hermite_is_the_expectation_over_a_normal_and_gamma_over_a_gamma():
    sides = gaussians(3, 10)
    ed, vd = paired_distance_moments(*sides)
    for row in range(3):
        mean, variance = ed[row] * 10, vd[row] * 100
        laws = {
            "gauss_hermite": stats.norm(mean, np.sqrt(variance)),
            "gamma": stats.gamma(mean**2 / variance, scale=variance / mean),
        }
        for method, law in laws.items():
            expected = law.expect(lambda x: special.expit(2.0 - 0.5 * x), epsabs=1e-13)
            got = match_probability(*(x[row : row + 1] for x in sides), 0.5, 2.0, method)
            assert abs(got[0] - expected) < 1e-9


def test_gamma_beats_gauss_hermite_in_the_tail():
    sides = gaussians(50, 64, level=-2.0)
    exact = match_logit(*sides, 5.0, 0.0)
    gamma = np.abs(match_logit(*sides, 5.0, 0.0, "gamma") - exact)
    normal = np.abs(match_logit(*sides, 5.0, 0.0, "gauss_hermite") - exact)
    assert (gamma < normal).all()


def test_moments_of_any_shape_give_logs_of_that_shape():
    ed = torch.rand(3, 4, dtype=torch.float64) + 0.5
    log_p, log_q = log_probability_from_moments(ed, 0.1 * ed, 8, 1.0, 0.0, "gamma")
    assert log_p.shape == log_q.shape == (3, 4)
    torch.testing.assert_close(log_p.exp() + log_q.exp(), torch.ones_like(ed))
    with pytest.raises(NumericsError, match="needs the Gaussians"):
        log_probability_from_moments(ed, ed, 8, 1.0, 0.0, "exact")


@pytest.mark.parametrize("method", METHODS)
def test_tensors_numpy_and_no_pairs(method):
    sides = gaussians(4, 9)
    array = match_probability(*sides, 1.0, 0.0, method)
    tensor = match_probability(*(torch.from_numpy(x) for x in sides), 1.0, 0.0, method)
    assert isinstance(array, np.ndarray) and array.dtype == np.float64
    np.testing.assert_array_equal(array, tensor.numpy())
    assert match_probability(*(x[:0] for x in sides), 1.0, 0.0, method).shape == (0,)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"method": "magic"}, "method 'magic' is not one of exact, monte_carlo"),
        ({"method": "monte_carlo", "samples": 0}, "samples is 0; K must be 1 or more"),
        ({"method": "gauss_hermite", "nodes": 0}, "nodes is 0"),
        ({"scale": 0.0}, "scale is 0.0; it must be above 0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"shift": float("inf")}, "shift is inf"),
    ],
)
def test_settings_out_of_range_are_refused(settings_, message):
    arguments = {"scale": 1.0, "shift": 0.0, **settings_}
    with pytest.raises(NumericsError, match=message):
        match_probability(*gaussians(2, 3), **arguments)


def test_values_that_are_not_finite_are_named():
    sides = gaussians(3, 4)
    sides[3][1, 2] = np.nan
    with pytest.raises(NumericsError, match="logvar_b of pair 1 is not finite"):
        match_probability(*sides, 1.0, 0.0)
