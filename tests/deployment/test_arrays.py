import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from polymatch.deployment.arrays import (
    ArrayLinear,
    array_config,
    array_product,
    choose_out_bound,
    levels,
    on_arrays,
)


def slow_product(inputs, weights, dac_bits, adc_bits, out_bound):
    """One number at a time: scale, round, multiply, round, clip."""
    largest_weight = weights.abs().max().item()
    out = torch.empty(len(inputs), len(weights))
    for b, x in enumerate(inputs):
        input_range = x.abs().max().item()
        step = 2 * input_range / (2**dac_bits - 2)
        rounded = torch.round(x / step) * step
        bound = input_range * out_bound * largest_weight
        step = 2 * bound / (2**adc_bits - 2)
        for j, w in enumerate(weights):
            exact = (rounded * w).sum().item()
            out[b, j] = max(-bound, min(bound, round(exact / step) * step))
    return out


@given(st.integers(2, 10), st.integers(3, 10), st.floats(0.3, 4.0), st.integers(0, 99))
def test_the_product_is_its_definition(adc_bits, dac_bits, out_bound, seed):
    torch.manual_seed(seed)
    inputs, weights = torch.randn(4, 9), torch.randn(5, 9)
    found = array_product(inputs, weights, weights, array_config(dac_bits, adc_bits, out_bound))
    slow = slow_product(inputs, weights, dac_bits, adc_bits, out_bound)
    # Where a number falls between two levels, the last bit of the sum decides.
    step = (
        2 * out_bound * inputs.abs().amax(1, keepdim=True) * weights.abs().max() / levels(adc_bits)
    )
    off = (found - slow).abs() > 1e-5
    assert ((found - slow).abs() <= 1.001 * step).all() and off.float().mean() < 0.1


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_an_array_has_no_more_levels_than_bits(bits):
    inputs, weights = torch.randn(1, 9), torch.randn(4000, 9)
    found = array_product(inputs, weights, weights, array_config(8, bits, 1.0))
    assert len(found.unique()) <= levels(bits) + 1


def test_more_bits_come_nearer_and_many_are_exact():
    torch.manual_seed(0)
    inputs, weights = torch.randn(50, 32), torch.randn(20, 32)
    exact, errors = inputs @ weights.T, []
    for bits in (3, 4, 6, 8, 14):
        bound = choose_out_bound(inputs, weights, 14, bits)
        found = array_product(inputs, weights, weights, array_config(14, bits, bound))
        errors.append(float((found - exact).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4


def test_the_range_is_narrower_for_fewer_bits_and_better_than_the_widest():
    torch.manual_seed(0)
    inputs, weights = torch.randn(100, 64), torch.randn(50, 64)
    few, many = (choose_out_bound(inputs, weights, 8, bits) for bits in (3, 8))
    assert few < many
    exact = inputs @ weights.T

    def error(bound):
        found = array_product(inputs, weights, weights, array_config(8, 3, bound))
        return float((found - exact).square().mean())

    unit = inputs.abs().amax(1, keepdim=True) * weights.abs().max()
    assert error(few) < error(float((exact / unit).abs().max()))


def test_the_circuits_range_stays_when_the_weights_drift():
    """Weights at half their size fill half the range: they get half the levels, not all."""
    inputs, weights = torch.randn(1, 9), torch.randn(4000, 9)
    config = array_config(8, 6, 0.5)
    fresh = array_product(inputs, weights, weights, config)
    old = array_product(inputs, weights / 2, weights, config)
    torch.testing.assert_close(
        old.unique().diff().min(), fresh.unique().diff().min(), rtol=1e-4, atol=0
    )
    assert config.forward.out_bound == 0.5


def test_a_layer_on_an_array_is_the_layer_with_fine_converters_and_keeps_its_bias_exact():
    torch.manual_seed(0)
    layer, x = nn.Linear(9, 5), torch.randn(7, 9)
    array = ArrayLinear(layer)
    array.converters(16, 16, 9.0)
    torch.testing.assert_close(array(x), layer(x), atol=5e-3, rtol=0)
    array.wear(torch.zeros(5, 9), 1.0)
    torch.testing.assert_close(array(x), layer.bias.expand(7, 5))
    array.wear(layer.weight.detach() / 4, 4.0)
    torch.testing.assert_close(array(x), layer(x), atol=2e-2, rtol=0)


def test_every_linear_layer_of_a_copy_is_on_an_array(build):
    model = build("mean")
    copied, arrays = on_arrays(model)
    assert sorted(arrays) == sorted(
        f"{side}.{part}.{i}"
        for side in ("items", "captions")
        for part in ("mu", "logvar")
        for i in (0, 3)
    )
    assert not [m for m in model.modules() if isinstance(m, ArrayLinear)]
    assert {m for m in copied.modules() if isinstance(m, ArrayLinear)} == set(arrays.values())


def test_a_layer_without_any_weight_gives_its_bias():
    layer = nn.Linear(9, 5)
    layer.weight.data.zero_()
    array = ArrayLinear(layer)
    array.converters(8, 8, 0.5)
    torch.testing.assert_close(array(torch.randn(3, 9)), layer.bias.detach().expand(3, 5))
