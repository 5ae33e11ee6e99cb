"""Polynomials of the published code: their values are the plain sum of their terms."""

import numpy as np
import pytest
import torch

from polymatch.errors import DataError, NumericsError
from polymatch.surrogate import (
    FittedRegion,
    PolynomialSurrogate,
    certificate,
    surrogate_from_published,
)


def saved(terms_of=3, **changes):
    """What fit_poly writes, with coefficients as large as it finds them."""
    count = (terms_of + 1) * (terms_of + 2) // 2 - 1
    coefficients = torch.from_numpy(np.random.default_rng(terms_of).normal(size=count))
    return {
        "degree": terms_of,
        "alpha": 1e-3,
        "fit_logit": True,
        "coeff": coefficients.float(),
        "bias": -1.5,
        "feature_names": ["ed", "vd"],
        "teacher_meta": {"K": 10, "a": 0.1, "b": 0.0},
    } | changes


@pytest.mark.parametrize("degree", [1, 3, 6])
def test_logits_are_the_sum_of_the_terms_in_scikit_learns_order(degree):
    values = saved(degree)
    ed, vd = np.random.default_rng(0).random((2, 50))
    expected = np.full(50, values["bias"])
    row = 0
    for total in range(1, degree + 1):
        for power in range(total + 1):
            expected += values["coeff"][row].item() * ed ** (total - power) * vd**power
            row += 1
    surrogate = surrogate_from_published(values, "x")
    assert surrogate.logits(ed, vd) == pytest.approx(expected, abs=1e-12)
    assert surrogate.teacher == {"source": "published", "samples": 10, "scale": 0.1, "shift": 0.0}


def test_a_checkpoints_own_polynomial_has_no_teacher():
    values = {key: saved()[key] for key in ("degree", "coeff", "bias", "fit_logit")}
    assert surrogate_from_published(values, "x").teacher == {"source": "published"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], r"x: holds a list, not the dict of a polynomial"),
        ({"degree": 3}, r"x: no 'coeff', 'bias' in it.*\(it has: degree\)"),
        (saved(3, degree=4), r"x: 9 coefficients for degree 4, which has 14"),
        (saved(3, degree=11), r"x: 9 coefficients for degree 11, which has none; degrees are 1 to"),
        (saved(3, degree=0), r"x: 9 coefficients for degree 0"),
        (saved(3, degree="three"), r"x: not the numbers of a polynomial"),
        (saved(3, coeff="abc"), r"x: not the numbers of a polynomial"),
        (saved(3, bias=float("nan")), r"x: a coefficient is NaN or infinite"),
        (saved(3, coeff=torch.full((9,), torch.inf)), r"x: a coefficient is NaN or infinite"),
        (saved(3, fit_logit=False), r"x: fitted to probabilities \(fit_logit is False\)"),
    ],
)
def test_what_is_no_such_polynomial_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        surrogate_from_published(values, "x")


def test_an_unknown_region_claims_nothing():
    region = FittedRegion.unknown()
    assert not region.known
    assert region.outside(np.ones((2, 3)), np.ones((2, 3))).tolist() == [[True] * 3] * 2
    assert np.isnan(region.outside_share(np.ones(3), np.ones(3)))


def test_it_survives_json_and_its_certificate_has_errors_but_no_shares(tmp_path):
    surrogate = surrogate_from_published(saved(2), "x")
    surrogate.save(tmp_path / "x.json")
    again = PolynomialSurrogate.load(tmp_path / "x.json")
    assert not again.region.known and again.logits(0.3, 0.2) == surrogate.logits(0.3, 0.2)
    mu = torch.nn.functional.normalize(torch.randn(4, 8), dim=-1)
    logvar = torch.full((4, 8), -4.0)
    record = certificate(mu, logvar, mu, logvar, again, 0.1, 0.0, pairs=20, positives=np.eye(4, 2))
    assert np.isnan([record["outside_share"], record["outside_share_positives"]]).all()
    assert record["inside"] == 0 and np.isnan(record["probability_max_inside"])
    assert record["probability_max"] > 0
    with pytest.raises(NumericsError, match=r"fitted with scale 0\.1, not 0\.2"):
        certificate(mu, logvar, mu, logvar, again, 0.2, 0.0, pairs=20)
