"""Structured pruning: what is left is a smaller dual encoder that scores as it should."""

import pytest
import torch

from polymatch.errors import ConfigError
from polymatch.models import load_model, save_model

from .examples import FRAME, TAGS, WORDS, dual_encoder, pruned, scores

GONE = {"items": [1, 4], "captions": [0, 5]}  # of the 6 units, 8 and 8 channels of each layer


@torch.no_grad()
def with_dead_units(member):
    """Set all weights of two units of each GRU, and two channels of each convolution, to zero."""
    dead_everywhere = []
    for side, prefix, first in (("items", "item", FRAME), ("captions", "caption", WORDS)):
        levels = getattr(member, side).levels
        linears = [getattr(member, f"{prefix}_{space}").linear for space in ("latent", "concept")]
        size, dead = levels.rnn.hidden_size, torch.tensor(GONE[side])
        rows = torch.cat([dead + gate * size for gate in range(3)])
        suffixes = ["", "_reverse"] if levels.rnn.bidirectional else [""]
        for number, suffix in enumerate(suffixes):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(levels.rnn, f"{name}_l0{suffix}")[rows] = 0
            getattr(levels.rnn, f"weight_hh_l0{suffix}")[:, dead] = 0
            for layer in levels.convolutions:
                layer.weight[:, dead + number * size] = 0
            for linear in linears:
                linear.weight[:, first + number * size + dead] = 0
        start = first + size * len(suffixes)
        for layer in levels.convolutions:
            layer.weight[dead], layer.bias[dead] = 0, 0
            for linear in linears:
                linear.weight[:, start + dead] = 0
            start += layer.out_channels
        dead_everywhere.append(start)
    assert dead_everywhere[0] == member.item_latent.linear.in_features
    return member


@pytest.mark.parametrize("bidirectional", [False, True])
def test_taking_out_units_of_zeros_changes_nothing(bidirectional):
    member = with_dead_units(dual_encoder(bidirectional, channels=[8, 8]))
    small = pruned(member, method="units", rate=0.25)
    for side in ("items", "captions"):
        levels = getattr(small.inner, side).levels
        assert levels.rnn.hidden_size == 4
        assert [layer.out_channels for layer in levels.convolutions] == [6, 6]
    for kind in ("latent", "concept"):
        torch.testing.assert_close(scores(small, kind), scores(member, kind), atol=1e-6, rtol=0)


@pytest.mark.parametrize("parts", [["item_rnn"], ["caption_convolutions"], None])
def test_only_the_parts_that_are_named_become_smaller(parts):
    member = dual_encoder()
    small = pruned(member, method="units", rate=0.5, parts=parts).inner
    chosen = parts or ["item_rnn", "caption_rnn", "item_convolutions", "caption_convolutions"]
    for side, prefix in (("items", "item"), ("captions", "caption")):
        settings = getattr(small.settings, side)
        assert settings.rnn_size == (3 if f"{prefix}_rnn" in chosen else 6)
        assert settings.channels == ([4, 5] if f"{prefix}_convolutions" in chosen else [8, 10])
    assert small.widths == (FRAME, (WORDS, TAGS))
    assert scores(small).isfinite().all()


def test_the_smallest_by_all_their_weights_go():
    member = dual_encoder(bidirectional=False)
    levels = member.items.levels
    size, read = 6, slice(FRAME, FRAME + 6)
    slow = torch.zeros(size)
    for unit in range(size):
        rows = [unit, unit + size, unit + 2 * size]
        for name, tensor in levels.rnn.named_parameters():
            slow[unit] += tensor[rows].abs().sum()
            slow[unit] += tensor[:, unit].abs().sum() if name == "weight_hh_l0" else 0
        for layer in levels.convolutions:
            slow[unit] += layer.weight[:, unit].abs().sum()
        for projection in (member.item_latent, member.item_concept):
            slow[unit] += projection.linear.weight[:, read][:, unit].abs().sum()
    kept = slow.topk(4).indices.sort().values
    small = pruned(member, method="units", rate=0.34, parts=["item_rnn"]).inner
    expected = levels.rnn.bias_ih_l0.view(3, size)[:, kept].flatten()
    assert torch.equal(small.items.levels.rnn.bias_ih_l0, expected)


def test_it_is_stored_as_the_smaller_model_that_it_is(tmp_path):
    member = dual_encoder(embed_dim=200)
    model = pruned(member, method="units", rate=0.5)
    for name, one in (("member", member), ("pruned", model)):
        save_model(one, tmp_path / name)
    back = load_model(tmp_path / "pruned")
    assert torch.equal(scores(back, "hybrid"), scores(model, "hybrid"))
    before, after = (
        sum(p.numel() for p in one.parameters())
        for one in (member, load_model(tmp_path / "pruned"))
    )
    stored = [(tmp_path / n / "model.safetensors").stat().st_size for n in ("member", "pruned")]
    assert after < 0.7 * before and stored[1] < 0.75 * stored[0]


def test_a_rate_that_leaves_no_unit_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"rate: 0\.95 leaves item_rnn none of its 6 units; lower it, or leave item_rnn out",
    ):
        pruned(dual_encoder(), method="units", rate=0.95)
