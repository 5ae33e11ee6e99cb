"""Against figures worked out by hand from the papers' formulas, and by simulation."""

import math

import pytest
import torch

from polymatch.deployment import pcm


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("target", "deviation"), [(0.0, 0.26348), (12.5, 0.952705), (25.0, 1.05538)]
)
def test_programming_leaves_the_published_deviation(target, deviation):
    assert float(pcm.programming_deviation(torch.tensor(target))) == pytest.approx(deviation)
    weights = torch.full((1, 200_000), target / 25)
    weights[0, 0] = 1.0
    left = pcm.program(weights, stream()).conductances[0, 0, 1:]
    if target > 5:  # nearer to 0 some devices would be negative, and stand at 0
        assert float(left.mean()) == pytest.approx(target, abs=0.01)
        assert float(left.std()) == pytest.approx(deviation, rel=0.01)
    assert (left >= 0).all()


@pytest.mark.parametrize(
    ("target", "mean", "deviation"),
    # ln(0.04) = -3.2189; below and above, the bounds of the measurements hold.
    [(1.0, 0.0742926, 0.0343360), (25.0, 0.049, 0.008), (0.0, 0.1, 0.045)],
)
def test_drift_exponents_have_the_published_statistics(target, mean, deviation):
    found = pcm.drift_statistics(torch.tensor(target))
    assert float(found[0]) == pytest.approx(mean, rel=1e-4)
    assert float(found[1]) == pytest.approx(deviation, rel=1e-4)


def test_drift_is_a_power_of_time_from_20_seconds_on():
    g, nu = torch.tensor([10.0, 20.0]), torch.tensor([0.05, 0.1])
    for seconds in (0.0, 25.0, 86_400.0, 31_536_000.0):
        expected = [10 * ((seconds + 20) / 20) ** -0.05, 20 * ((seconds + 20) / 20) ** -0.1]
        assert pcm.drifted(g, nu, seconds).tolist() == pytest.approx(expected)


def test_reading_noise_grows_with_time_and_is_capped_for_small_conductances():
    growth = math.sqrt(math.log((3620 + 250e-9) / 500e-9))
    found = pcm.read_deviation(torch.tensor([25.0, 12.5, 0.0]), 3600.0)
    assert found.tolist() == pytest.approx(
        [0.0088 * growth, 0.0088 * 0.5**-0.65 * growth, 0.2 * growth]
    )


def test_the_factor_against_drift_restores_the_scale_but_not_the_spread():
    weights = torch.randn(64, 64, generator=stream(1))
    programmed = pcm.program(weights, stream())
    fresh, fresh_gain = programmed.read(0.0, stream(2))
    old, gain = programmed.read(31_536_000.0, stream(2))
    assert fresh_gain == pytest.approx(1.0, abs=0.02)
    assert gain > 1.5  # conductances fall to half in a year
    slope = float((old * gain * weights).sum() / weights.square().sum())
    assert slope == pytest.approx(1.0, abs=0.05)
    error = [float((w * g - weights).std()) for w, g in ((fresh, fresh_gain), (old, gain))]
    assert error[0] < error[1]


def test_one_seed_is_one_chip_and_a_matrix_of_zeros_stays_finite():
    weights = torch.randn(5, 7, generator=stream(1))
    one, same, other = (pcm.program(weights, stream(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.conductances, same.conductances)
    assert torch.equal(one.read(9.0, stream(1))[0], same.read(9.0, stream(1))[0])
    assert not torch.equal(one.conductances, other.conductances)
    worn, gain = pcm.program(torch.zeros(3, 3), stream()).read(100.0, stream())
    assert worn.isfinite().all() and math.isfinite(gain)
