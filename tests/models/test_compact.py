"""What a compact checkpoint gives back, and what it takes on disk."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from polymatch.errors import DataError
from polymatch.models.compact import (
    read_weights,
    rows_from_int8,
    rows_to_int8,
    save_weights,
)

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=3)


def same_bits(a, b):
    return a.shape == b.shape and torch.equal(a.view(torch.int32), b.view(torch.int32))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@given(SHAPES, st.floats(0, 1), st.integers(0, 99))
def test_sparse_tensors_come_back_bit_for_bit(tmp_path_factory, shape, share, seed):
    path = tmp_path_factory.mktemp("sparse") / "w.safetensors"
    random = torch.Generator().manual_seed(seed)
    tensor = torch.randn(shape, generator=random)
    tensor[torch.rand(shape, generator=random) < share] = 0
    save_weights(path, {"a": tensor, "b": tensor.clone()}, {"a": "sparse"})
    back = read_weights(path)
    assert sorted(back) == ["a", "b"]
    assert same_bits(back["a"], tensor) and same_bits(back["b"], tensor)


def test_what_is_no_number_and_minus_zero_come_back_too(path):
    tensor = torch.tensor([[0.0, -0.0, torch.nan, -torch.inf] + [0.0] * 60])
    save_weights(path, {"a": tensor}, {"a": "sparse"})
    assert len(load_file(path)["a.values"]) == 3
    assert same_bits(read_weights(path)["a"], tensor)


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.34, 0.9])
def test_zeros_take_no_bytes_but_a_bit_for_every_number(path, rate):
    tensor = torch.randn(200, 300)
    tensor.view(-1)[: round(rate * tensor.numel())] = 0
    save_weights(path, {"a": tensor}, {"a": "sparse"})
    expected = 4 * tensor.numel() * min(1, 1 - rate + 1 / 32)
    assert path.stat().st_size == pytest.approx(expected, abs=400)


@given(SHAPES, st.floats(1e-20, 1e20), st.integers(0, 99))
def test_whole_numbers_are_near_and_are_themselves_again(shape, size, seed):
    tensor = size * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    whole, scales = rows_to_int8(tensor)
    back = rows_from_int8(whole, scales)
    along = scales.view(-1, *[1] * (tensor.ndim - 1))
    assert ((back - tensor).abs() <= 0.501 * along).all()
    again = rows_to_int8(back)
    assert torch.equal(again[0], whole) and same_bits(again[1], scales)
    assert (whole.reshape(len(whole), -1).abs().amax(1) == 127).all()


def test_rows_of_8_bits_take_a_quarter_and_come_back_as_they_were_rounded(path):
    tensor = torch.randn(64, 100, 3)
    tensor[5] = 0
    save_weights(path, {"a": tensor}, {"a": "int8"})
    back = read_weights(path)["a"]
    assert torch.equal(back, rows_from_int8(*rows_to_int8(tensor)))
    assert path.stat().st_size < 4 * tensor.numel() / 4 + 1000
    save_weights(path, {"a": back}, {"a": "int8"})
    assert torch.equal(read_weights(path)["a"], back)


def test_a_file_of_floats_is_any_safetensors_file(path):
    tensor = torch.randn(3, 4)
    save_weights(path, {"a": tensor}, {})
    assert torch.equal(load_file(path)["a"], tensor)
    save_file({"b": tensor}, path)
    assert torch.equal(read_weights(path)["b"], tensor)


def stored(path, **change):
    """A file of one sparse and one int8 tensor, some of whose parts are others, or missing."""
    mark = {"a": {"form": "sparse", "shape": [2, 5]}, "b": {"form": "int8", "shape": [2, 3]}}
    parts = {
        "a.mask": torch.tensor([0b11000000, 0], dtype=torch.uint8),
        "a.values": torch.ones(2),
        "b.int8": torch.ones(2, 3, dtype=torch.int8),
        "b.scales": torch.ones(2),
    }
    parts |= {key.replace("_", "."): value for key, value in change.items() if key != "mark"}
    mark |= change.get("mark", {})
    parts = {key: value for key, value in parts.items() if value is not None}
    save_file(parts, path, metadata={"polymatch.compact": json.dumps(mark)})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a_mask": None}, r"w: a: its part 'a\.mask' is missing; delete it and train again"),
        ({"b_scales": None}, r"w: b: its part 'b\.scales' is missing; delete it and train again"),
        (
            {"a_values": torch.ones(3)},
            r"w: a: the mask of 16 bits, 2 of them set, does not fit 3 numbers of a tensor of "
            r"shape \[2, 5\]; delete it and train again",
        ),
        (
            {"a_mask": torch.tensor([192], dtype=torch.uint8)},
            r"w: a: the mask of 8 bits, 2 of them set, does not fit 2 numbers",
        ),
        (
            {"b_int8": torch.ones(3, 2, dtype=torch.int8)},
            r"w: b: whole numbers of shape \[3, 2\] and scales of shape \[2\] are no tensor of "
            r"shape \[2, 3\]; delete",
        ),
        (
            {"mark": {"a": {"form": "runs", "shape": [1]}}},
            r"w: a is stored as 'runs', which this version of Polymatch cannot read; read it with",
        ),
    ],
)
def test_damaged_parts_are_named(tmp_path, change, message):
    assert read_weights(stored(tmp_path / "w"))["a"][0].tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(DataError, match=message):
        read_weights(stored(tmp_path / "w", **change))
