"""The fused similarity against the definition, and the certificate against its parts."""

import numpy as np
import pytest
import torch

from polymatch.errors import NumericsError
from polymatch.surrogate import (
    PolynomialSurrogate,
    build_teacher,
    caption_factors,
    certificate,
    distance_moments,
    item_factors,
    match_probability,
    poly_similarity,
    similarity_of_factors,
)
from polymatch.surrogate.candidates import candidate_similarity


def gaussians(n, m, dim, seed=0, level=-4.0):
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn((rows, dim), generator=generator) for rows in (n, n, m, m)]
    mu_a, mu_b = (torch.nn.functional.normalize(x + 0.5, dim=1) for x in (draw[0], draw[2]))
    return mu_a, 0.5 * draw[1] + level, mu_b, 0.5 * draw[3] + level


def surrogate_for(dim, scale=0.1, degree=4, **others):
    teacher = build_teacher(
        np.eye(1, dim),
        np.eye(1, dim),
        source="domain",
        estimator="gauss_hermite",
        pairs=2000,
        scale=scale,
        progress=False,
        **others,
    )
    return teacher.fit(degree)


def naive_similarity(sides, surrogate):
    """The definition in float64: N x M x D moments, then powers of them."""
    mu_a, logvar_a, mu_b, logvar_b = (x.double() for x in sides)
    dim = mu_a.shape[1]
    difference = mu_a[:, None] - mu_b[None]
    variance = logvar_a.exp()[:, None] + logvar_b.exp()[None]
    ed = (difference**2 + variance).sum(-1) / dim
    vd = (2 * variance**2 + 4 * difference**2 * variance).sum(-1) / dim**2
    x = (ed - surrogate.centre[0]) / surrogate.scale[0]
    y = (vd - surrogate.centre[1]) / surrogate.scale[1]
    terms = [(t - j, j) for t in range(1, surrogate.degree + 1) for j in range(t + 1)]
    return surrogate.bias + sum(
        float(c) * x**i * y**j for c, (i, j) in zip(surrogate.coefficients, terms, strict=True)
    )


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 6, 10])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (30, 50, 96), (17, 9, 600)])
def test_equals_the_definition(shape, degree):
    sides = gaussians(*shape)
    surrogate = surrogate_for(shape[2], degree=degree)
    got = poly_similarity(*sides, surrogate)
    assert got.shape == shape[:2] and got.dtype == torch.float64
    assert (got - naive_similarity(sides, surrogate)).abs().max() < 1e-6


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_steep_surrogates_keep_the_logit_to_1e_6(scale):
    sides = gaussians(40, 30, 512)
    surrogate = surrogate_for(512, scale=scale)
    error = (poly_similarity(*sides, surrogate) - naive_similarity(sides, surrogate)).abs().max()
    assert error < 1e-6


@pytest.mark.parametrize("block", [1, 3, 8, 1000])
def test_tiles_do_not_change_the_scores(block):
    sides = gaussians(20, 13, 40)
    surrogate = surrogate_for(40)
    whole = poly_similarity(*sides, surrogate)
    torch.testing.assert_close(
        poly_similarity(*sides, surrogate, block=block), whole, rtol=0, atol=1e-7
    )


def test_a_prepared_gallery_gives_the_same_scores():
    sides = gaussians(20, 13, 40)
    surrogate = surrogate_for(40)
    items, captions = item_factors(*sides[:2]), caption_factors(*sides[2:])
    assert len(items) == 20 and items.width == 40
    whole = poly_similarity(*sides, surrogate)
    torch.testing.assert_close(similarity_of_factors(items, captions, surrogate), whole)
    some = similarity_of_factors(items[4:6], captions, surrogate)
    torch.testing.assert_close(some, whole[4:6], rtol=0, atol=1e-7)


def test_gradients_are_those_of_moments_and_polynomial():
    sides = [x.requires_grad_() for x in gaussians(4, 6, 10)]
    surrogate = surrogate_for(10)
    weights = torch.randn(4, 6, dtype=torch.float64)
    got = torch.autograd.grad((poly_similarity(*sides, surrogate) * weights).sum(), sides)
    wide = [x.detach().double().requires_grad_() for x in sides]
    expected = torch.autograd.grad((naive_similarity(wide, surrogate) * weights).sum(), wide)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))


def test_numpy_no_items_and_float64():
    sides = gaussians(5, 4, 6)
    surrogate = surrogate_for(6)
    arrays = [x.double().numpy() for x in sides]
    got = poly_similarity(*arrays, surrogate)
    assert isinstance(got, np.ndarray)
    np.testing.assert_allclose(got, naive_similarity(sides, surrogate).numpy(), atol=1e-10)
    assert poly_similarity(*(x[:0] for x in sides[:2]), *sides[2:], surrogate).shape == (0, 4)


def test_misuse_is_refused():
    sides = gaussians(5, 4, 6)
    surrogate = surrogate_for(6)
    with pytest.raises(NumericsError, match="fitted for embeddings of width 8 but used on width 6"):
        poly_similarity(*sides, surrogate_for(8))
    with pytest.raises(NumericsError, match="block is 0"):
        poly_similarity(*sides, surrogate, block=0)
    items, captions = item_factors(*sides[:2]), caption_factors(*sides[2:])
    with pytest.raises(NumericsError, match="given factors of captions and items"):
        similarity_of_factors(captions, items, surrogate)
    with pytest.raises(NumericsError, match="items have width 6 and captions 3"):
        similarity_of_factors(items, caption_factors(*gaussians(2, 2, 3)[2:]), surrogate)


def test_certificate_counts_and_judges_what_it_says():
    sides = gaussians(15, 20, 24)
    surrogate = surrogate_for(24, scale=0.5)
    positives = np.stack([np.arange(15), np.arange(15)], axis=1)
    figures = certificate(*sides, surrogate, 0.5, 0.0, pairs=60, positives=positives)
    ed, vd = distance_moments(*sides)
    outside = surrogate.region.outside(ed, vd)
    assert figures["outside_share"] == outside.mean()
    assert figures["outside_share_positives"] == np.diag(outside[:, :15]).mean()
    assert figures["sampled"] == 75
    # All pairs: the largest error can only be larger, the sampled ones among them.
    rows, columns = (index.ravel() for index in np.indices((15, 20)))
    pairs = [sides[0][rows], sides[1][rows], sides[2][columns], sides[3][columns]]
    exact = match_probability(*pairs, 0.5, 0.0).numpy()
    fitted = 1 / (1 + np.exp(-surrogate.logits(ed, vd).numpy().ravel()))
    errors = np.abs(fitted - exact)
    assert 0 < figures["probability_mean"] <= figures["probability_max"] <= errors.max() + 1e-12
    assert figures["probability_max"] >= np.median(errors)


def test_certificate_of_a_surrogate_that_never_saw_such_pairs():
    mu_a, logvar_a, mu_b, logvar_b = gaussians(30, 30, 24)
    teacher = build_teacher(mu_a, mu_b, pairs=500, estimator="exact", progress=False)
    figures = certificate(mu_a, logvar_a, mu_b, logvar_b, teacher.fit(3), 0.1, 0.0, pairs=50)
    assert figures["outside_share"] == 1.0 and figures["inside"] == 0
    assert np.isnan(figures["probability_max_inside"])
    fixed = torch.full_like(mu_a, -5.0)
    figures = certificate(mu_a, fixed, mu_b, fixed, teacher.fit(3), 0.1, 0.0, pairs=50)
    assert figures["outside_share"] < 0.05
    assert figures["probability_max_inside"] < 1e-6


def test_certificate_refuses_what_is_not_there():
    sides = gaussians(5, 4, 6)
    surrogate = surrogate_for(6)
    with pytest.raises(NumericsError, match="within 5 items and 4 captions"):
        certificate(*sides, surrogate, 0.1, 0.0, positives=np.array([[0, 4]]))
    with pytest.raises(NumericsError, match="fitted for embeddings of width 7"):
        certificate(*sides, surrogate_for(7), 0.1, 0.0)
    with pytest.raises(NumericsError, match="leave none to judge"):
        certificate(sides[0][:0], sides[1][:0], *sides[2:], surrogate, 0.1, 0.0)


def test_a_surrogate_without_a_teacher_scores_any_width():
    rng = np.random.default_rng(0)
    ed, vd = rng.random(50), rng.random(50)
    surrogate = PolynomialSurrogate.fit(ed, vd, 0.5 * np.ones(50) - 0.1 * ed, 2)
    sides = gaussians(3, 4, 5)
    got = poly_similarity(*sides, surrogate)
    torch.testing.assert_close(got, naive_similarity(sides, surrogate), rtol=0, atol=1e-7)


@pytest.mark.parametrize("width", [1, 8, 300])
def test_candidates_score_as_the_definition_says(width):
    for level in (-4.0, -0.1):
        sides = gaussians(60, 1, width, seed=width, level=level)
        fitted = surrogate_for(width, degree=5)
        found = candidate_similarity(*sides, fitted)
        assert found.shape == (60, 1) and found.dtype == torch.float64
        torch.testing.assert_close(found, naive_similarity(sides, fitted), atol=1e-6, rtol=1e-6)
