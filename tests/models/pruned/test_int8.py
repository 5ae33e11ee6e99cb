"""Dynamic quantisation: near the floats, the same in any batch, and stored in 8 bits."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from polymatch.models import load_model, save_model
from polymatch.models.compact import rows_from_int8
from polymatch.models.pruned.int8 import Int8GRU, Int8Linear, Int8Projection

from .examples import dual_encoder, inputs, pruned, scores


def as_floats(layer):
    return rows_from_int8(layer.whole, layer.scales)


def by_hand(layer, rows):
    """The product in whole numbers, sum by sum in float64."""
    largest = rows.abs().amax(-1, keepdim=True)
    whole = (rows / largest * 63).round().double()
    return (whole @ layer.whole.double().T * layer.scales.double() / 63 * largest.double()).float()


@pytest.mark.parametrize(("rows", "wide", "high"), [(1, 1, 1), (5, 7, 9), (33, 200, 130)])
def test_products_are_those_of_whole_numbers(rows, wide, high):
    layer = Int8Linear(torch.randn(high, wide))
    given = torch.randn(rows, wide) * torch.logspace(-6, 6, rows)[:, None]
    found = layer(given)
    relative = (found - by_hand(layer, given)) / given.abs().amax(1, keepdim=True)
    assert relative.abs().max() < 1e-4


def test_largest_numbers_do_not_overflow():
    """Sums of two products stay within 16 bits, which some processors add them up in."""
    layer = Int8Linear(torch.ones(16, 512))
    assert torch.allclose(layer(torch.ones(4, 512)), torch.full((4, 16), 512.0), rtol=1e-3)
    assert torch.allclose(layer(-torch.ones(4, 512)), torch.full((4, 16), -512.0), rtol=1e-3)


def test_a_row_of_zeros_gives_the_bias():
    linear = nn.Linear(6, 4)
    found = Int8Projection(linear)(torch.zeros(2, 6))
    assert torch.equal(found, linear.bias.detach().expand(2, 4))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_gru_is_near_that_of_floats_with_its_rounded_weights(bidirectional):
    gru = nn.GRU(12, 16, batch_first=True, bidirectional=bidirectional)
    quantised = Int8GRU(gru)
    with torch.no_grad():
        for direction, suffix in zip(quantised.directions, ["", "_reverse"], strict=False):
            getattr(gru, f"weight_ih_l0{suffix}").copy_(as_floats(direction.read))
            getattr(gru, f"weight_hh_l0{suffix}").copy_(as_floats(direction.recur))
    lengths = torch.tensor([3, 9, 1, 9])
    rows = torch.randn(4, 9, 12)
    packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
    with torch.inference_mode():
        near, _ = pad_packed_sequence(quantised(packed)[0], batch_first=True)
        exact, _ = pad_packed_sequence(gru(packed)[0], batch_first=True)
    assert near.shape == exact.shape and 0 < (near - exact).abs().max() < 0.03
    for row, length in zip(near, lengths, strict=True):
        assert not row[length:].any()


def test_without_the_kernel_it_is_the_float_product_of_the_rounded_weights():
    layer, rows = Int8Linear(torch.randn(9, 7)), torch.randn(5, 7)
    assert torch.equal(layer.in_floats(rows), rows @ as_floats(layer).T)
    assert layer.packed_bytes == 0
    assert 0 < (layer(rows) - layer.in_floats(rows)).abs().max() < 0.2
    assert layer.packed_bytes == 9 * 7


def test_scores_are_near_those_of_the_floats():
    member = dual_encoder()
    model = pruned(member, method="int8")
    for kind in ("latent", "concept"):
        difference = (scores(model, kind) - scores(member, kind)).abs().max()
        assert 0 < difference < 0.05
    only = pruned(member, method="int8", parts=["item_latent"])
    assert isinstance(only.inner.captions.levels.rnn, nn.GRU)
    assert torch.equal(scores(only, "concept"), scores(member, "concept"))


def test_an_item_and_a_caption_encode_the_same_alone_and_in_any_batch():
    model = pruned(dual_encoder(), method="int8")
    frames, words = inputs(40, 40)
    with torch.inference_mode():
        items, captions = model.encode_items(frames), model.encode_captions(words)
        for row in range(0, 40, 7):
            alone = model.encode_items(frames[row : row + 1])
            text = model.encode_captions(words[row : row + 1])
            for part in ("latent", "concept"):
                for all_of_them, one in ((items, alone), (captions, text)):
                    whole = getattr(all_of_them, part)[row]
                    torch.testing.assert_close(whole, getattr(one, part)[0], atol=1e-6, rtol=0)


def test_it_is_stored_in_8_bits_and_scores_the_same_to_the_last_one(tmp_path):
    member = dual_encoder(word_dim=128, embed_dim=256)
    model = pruned(member, method="int8")
    for name, one in (("member", member), ("pruned", model)):
        save_model(one, tmp_path / name)
    back = load_model(tmp_path / "pruned")
    for kind in ("latent", "concept", "hybrid"):
        assert torch.equal(scores(back, kind), scores(model, kind))
    save_model(back, tmp_path / "again")
    stored = {
        name: (tmp_path / name / "model.safetensors").read_bytes()
        for name in ("member", "pruned", "again")
    }
    assert stored["pruned"] == stored["again"]
    quarter = sum(p.numel() for p in member.parameters() if p.ndim > 1)
    assert len(stored["pruned"]) < quarter + 30_000 < len(stored["member"])
