"""The fit against scikit-learn, Horner against powers, files and refusals."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures

from polymatch.errors import DataError, NumericsError
from polymatch.surrogate import PolynomialSurrogate
from polymatch.surrogate.polynomial import exponents, term_count


def points(count=4000, seed=0):
    """Points as the published teacher gives them at D = 1024, but off the line."""
    rng = np.random.default_rng(seed)
    ed = 0.0153 + 1e-4 * rng.normal(size=count)
    vd = 1.1e-5 + 4e-7 * rng.normal(size=count) + 1e-3 * (ed - 0.0153)
    logit = -102.4 * ed + 5000 * vd + 30 * (ed * 60) ** 2 * 1e-3
    return ed, vd, 1 / (1 + np.exp(-logit))


def logit(p):
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize("degree", range(1, 11))
def test_standardised_fit_equals_scikit_learn(degree):
    ed, vd, p = points()
    surrogate = PolynomialSurrogate.fit(ed, vd, p, degree, alpha=1e-3)
    standard = np.stack([(x - x.mean()) / x.std() for x in (ed, vd)], axis=1)
    features = PolynomialFeatures(degree, include_bias=False).fit_transform(standard)
    model = Ridge(alpha=1e-3).fit(features, logit(p))
    np.testing.assert_allclose(surrogate.coefficients, model.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(surrogate.bias, model.intercept_, rtol=1e-10)
    np.testing.assert_allclose(surrogate.logits(ed, vd), model.predict(features), atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 6])
def test_published_fit_equals_the_published_pipeline(degree):
    ed, vd, p = points()
    p[:5] = [0.0, 1.0, 1e-9, 1 - 1e-9, 0.5]
    surrogate = PolynomialSurrogate.fit(ed, vd, p, degree, alpha=1e-3, published=True)
    features = PolynomialFeatures(degree, include_bias=False).fit_transform(np.stack([ed, vd], 1))
    model = Ridge(alpha=1e-3).fit(features, logit(np.clip(p, 1e-6, 1 - 1e-6)))
    np.testing.assert_allclose(surrogate.coefficients, model.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(surrogate.bias, model.intercept_, rtol=1e-10)
    np.testing.assert_allclose(surrogate.logits(ed, vd), model.predict(features), atol=1e-9)


def test_published_fit_is_flat_and_the_standardised_one_is_not():
    ed, vd, p = points()
    flat = PolynomialSurrogate.fit(ed, vd, p, 4, published=True).logits(ed, vd)
    fitted = PolynomialSurrogate.fit(ed, vd, p, 4).logits(ed, vd)
    assert np.std(flat) < 0.2 * np.std(logit(p))
    assert np.abs(fitted - logit(p)).max() < 1e-4 * np.std(logit(p))


def test_weights_equal_those_of_scikit_learn():
    ed, vd, p = points()
    weights = np.random.default_rng(1).random(len(ed))
    surrogate = PolynomialSurrogate.fit(ed, vd, p, 3, alpha=0.5, weights=weights)
    standard = np.stack(
        [(x - c) / s for x, c, s in zip((ed, vd), surrogate.centre, surrogate.scale, strict=True)],
        axis=1,
    )
    features = PolynomialFeatures(3, include_bias=False).fit_transform(standard)
    model = Ridge(alpha=0.5).fit(features, logit(p), sample_weight=weights)
    np.testing.assert_allclose(surrogate.coefficients, model.coef_, atol=1e-10)
    np.testing.assert_allclose(np.average(ed, weights=weights), surrogate.centre[0])


def test_points_on_a_line_are_fitted():
    ed, _, _ = points()
    vd = 2 * ed
    p = 1 / (1 + np.exp(100 * ed))
    surrogate = PolynomialSurrogate.fit(ed, vd, p, 5)
    np.testing.assert_allclose(surrogate.logits(ed, vd), logit(p), atol=1e-6)


def test_a_given_logit_is_used_where_the_probability_underflows():
    ed, vd, _ = points()
    target = -2000 + 1e4 * (ed - 0.015)
    surrogate = PolynomialSurrogate.fit(ed, vd, np.zeros_like(ed), 2, logit=target)
    np.testing.assert_allclose(surrogate.logits(ed, vd), target, atol=1e-6)


def test_saturated_probabilities_are_left_out_and_counted():
    ed, vd, p = points()
    kept = PolynomialSurrogate.fit(ed[10:], vd[10:], p[10:], 3)
    p[:10] = [0.0, 1.0] * 5
    surrogate = PolynomialSurrogate.fit(ed, vd, p, 3)
    assert surrogate.errors["left_out"] == 10
    np.testing.assert_array_equal(surrogate.coefficients, kept.coefficients)


@pytest.mark.parametrize("degree", range(1, 11))
def test_horner_equals_the_sum_of_powers(degree):
    ed, vd, p = points(500)
    surrogate = PolynomialSurrogate.fit(ed, vd, p, degree)
    x, y = (
        (v - c) / s for v, c, s in zip((ed, vd), surrogate.centre, surrogate.scale, strict=True)
    )
    powers = PolynomialFeatures(degree, include_bias=False).fit(np.zeros((1, 2))).powers_
    assert powers.tolist() == [list(pair) for pair in exponents(degree)]
    assert len(powers) == term_count(degree)
    expected = surrogate.bias + sum(
        c * x**i * y**j for c, (i, j) in zip(surrogate.coefficients, powers, strict=True)
    )
    np.testing.assert_allclose(surrogate.logits(ed, vd), expected, atol=1e-9)
    tracked = surrogate.logits(torch.tensor(ed, requires_grad=True), torch.tensor(vd))
    np.testing.assert_allclose(tracked.detach().numpy(), expected, atol=1e-9)


def test_logits_of_any_shape_and_kind():
    surrogate = PolynomialSurrogate.fit(*points(), 4)
    ed = np.linspace(0.015, 0.016, 12).reshape(3, 4)
    matrix = surrogate.logits(ed, np.full((3, 4), 1.1e-5))
    assert matrix.shape == (3, 4) and matrix.dtype == np.float64
    assert surrogate.logits(ed[0, 0], 1.1e-5).shape == ()
    np.testing.assert_array_equal(surrogate.logits(ed, 1.1e-5), matrix)
    tensor = surrogate.logits(torch.from_numpy(ed), torch.tensor(1.1e-5, dtype=torch.float64))
    np.testing.assert_array_equal(tensor.numpy(), matrix)


def test_blocks_do_not_change_the_result():
    surrogate = PolynomialSurrogate.fit(*points(), 6)
    ed, vd, _ = points(200_000, seed=3)
    whole = surrogate.logits(ed, vd)
    np.testing.assert_allclose(whole[-7:], surrogate.logits(ed[-7:], vd[-7:]), rtol=1e-13)


def test_gradient_of_the_logits():
    surrogate = PolynomialSurrogate.fit(*points(), 5)
    ed, vd, _ = (torch.tensor(x[:6]) for x in points())
    x = ((ed - surrogate.centre[0]) / surrogate.scale[0]).requires_grad_()
    y = ((vd - surrogate.centre[1]) / surrogate.scale[1]).requires_grad_()

    def of_standardised(x, y):
        return surrogate.logits(
            x * surrogate.scale[0] + surrogate.centre[0],
            y * surrogate.scale[1] + surrogate.centre[1],
        )

    assert torch.autograd.gradcheck(of_standardised, (x, y))


@pytest.mark.parametrize("published", [False, True])
def test_saved_and_loaded_is_the_same(tmp_path, published):
    ed, vd, p = points()
    surrogate = PolynomialSurrogate.fit(
        ed, vd, p, 4, alpha=0.01, published=published, teacher={"width": 1024, "source": "fixed"}
    )
    surrogate.save(tmp_path / "surrogate.json")
    again = PolynomialSurrogate.load(tmp_path / "surrogate.json")
    np.testing.assert_array_equal(again.logits(ed, vd), surrogate.logits(ed, vd))
    np.testing.assert_array_equal(again.region.vertices, surrogate.region.vertices)
    for name in ("degree", "centre", "scale", "bias", "alpha", "published", "errors", "teacher"):
        assert getattr(again, name) == getattr(surrogate, name)
    assert json.loads((tmp_path / "surrogate.json").read_text())["degree"] == 4


@pytest.mark.parametrize("text", ["{", "[]", '{"degree": 2}', '{"degree": 4, "coefficients": [1]}'])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(DataError, match=r"broken\.json: not a saved surrogate"):
        PolynomialSurrogate.load(tmp_path / "broken.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json"):
        PolynomialSurrogate.load(tmp_path / "absent.json")


@pytest.mark.parametrize("degree", [0, 11, -1, 2.5, True])
def test_degrees_outside_1_to_10_are_refused(degree):
    with pytest.raises(NumericsError, match=r"degree .* is not one of 1 to 10"):
        PolynomialSurrogate.fit(*points(), degree)


def test_fewer_points_than_terms_are_refused():
    with pytest.raises(NumericsError, match="14 usable points for the 15 terms of degree 4"):
        PolynomialSurrogate.fit(*(x[:14] for x in points()), 4)
    assert PolynomialSurrogate.fit(*(x[:15] for x in points()), 4).errors["points"] == 15


@pytest.mark.parametrize("column", [0, 1])
def test_a_constant_column_is_refused(column):
    columns = list(points())
    columns[column] = np.full(4000, 0.25)
    name = ("ed", "vd")[column]
    with pytest.raises(NumericsError, match=f"{name} is 0.25 at all 4000 points"):
        PolynomialSurrogate.fit(*columns, 3)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_nan_is_refused_with_its_row(column):
    columns = list(points())
    columns[column][17] = np.nan
    name = ("ed", "vd", "probability")[column]
    with pytest.raises(NumericsError, match=f"{name} is nan at point 17"):
        PolynomialSurrogate.fit(*columns, 3)


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_probabilities_outside_0_to_1_are_refused(value):
    ed, vd, p = points()
    p[3] = value
    with pytest.raises(NumericsError, match=r"at point 3 is outside \[0, 1\]"):
        PolynomialSurrogate.fit(ed, vd, p, 3)


def test_unequal_lengths_bad_weights_and_alpha_are_refused():
    ed, vd, p = points()
    with pytest.raises(NumericsError, match="3999 values of vd for 4000 points"):
        PolynomialSurrogate.fit(ed, vd[1:], p, 3)
    with pytest.raises(NumericsError, match="weight of point 0 is negative"):
        PolynomialSurrogate.fit(ed, vd, p, 3, weights=np.full(4000, -1.0))
    with pytest.raises(NumericsError, match="alpha is -1"):
        PolynomialSurrogate.fit(ed, vd, p, 3, alpha=-1)


def test_another_width_is_refused():
    surrogate = PolynomialSurrogate.fit(*points(), 3, teacher={"width": 1024})
    surrogate.check_width(1024)
    with pytest.raises(
        NumericsError, match="fitted for embeddings of width 1024 but used on width 256"
    ):
        surrogate.check_width(256)
