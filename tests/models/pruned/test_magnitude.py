"""Unstructured pruning: the zeros are those of torch's global L1, and stored as such."""

import pytest
import torch
from torch.nn.utils import prune

from polymatch.errors import ConfigError, DataError
from polymatch.models import build_model, load_model, save_model
from polymatch.models.pruned.magnitude import pruned_tensors
from polymatch.models.pruned.parts import modules_of
from polymatch.settings.aligned import AlignedSettings

from .examples import dual_encoder, pruned, scores

RATES = (0.0, 0.1, 0.34, 0.5)


def as_published(model, rate, biases, parts=None):
    """The state dict of ``model`` pruned in place by torch, as the published code calls it."""
    modules = [m for of_part in modules_of(model, parts).values() for m in of_part]
    named = [
        (module, name)
        for module in modules
        for name, _ in module.named_parameters()
        if "weight" in name or (biases and "bias" in name)
    ]
    prune.global_unstructured(named, pruning_method=prune.L1Unstructured, amount=rate)
    for module, name in named:
        prune.remove(module, name)
    return model.state_dict()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_zeros_are_those_of_torch_to_the_last_one(rate, biases, bidirectional):
    member = dual_encoder(bidirectional)
    ours = pruned(member, rate=rate, biases=biases).inner.state_dict()
    theirs = as_published(member, rate, biases)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name


def test_exactly_the_rate_goes_and_equal_ones_in_their_order():
    member = dual_encoder()
    tensors = pruned_tensors(modules_of(member, None), biases=False)
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(tensor.sign())
    parts = ["caption_concept", "item_concept"]
    model = pruned(member, rate=0.34, parts=parts)
    left = [m.weight for (m,) in modules_of(model.inner, parts).values()]
    flat = torch.cat([weight.flatten() for weight in left])
    gone = round(0.34 * len(flat))
    assert not flat[:gone].any() and flat[gone:].all()
    # What does not take part is as it was.
    everything = pruned_tensors(modules_of(model.inner, None), biases=False)
    assert sum(int((t == 0).sum()) for t in everything) == gone


def test_pruning_leaves_its_member_as_it_is_and_scores_go_through():
    member = dual_encoder()
    before = {kind: scores(member, kind) for kind in ("latent", "concept", "hybrid")}
    model = pruned(member, rate=0.0)
    for kind, expected in before.items():
        assert torch.equal(scores(model, kind), expected)
    changed = pruned(member, rate=0.5)
    assert not torch.equal(scores(changed), before["latent"])
    assert all(torch.equal(scores(member, kind), expected) for kind, expected in before.items())
    assert model.fused("hybrid") == [("latent", 0.2), ("concept", 0.8)]
    assert pruned(member, alpha=1.0).fused("hybrid") == [("latent", 1.0)]
    assert torch.equal(
        scores(pruned(member, rate=0.0, similarities=["latent"]), None), before["latent"]
    )


@pytest.mark.parametrize("biases", [False, True])
def test_a_checkpoint_is_smaller_by_its_zeros_and_the_same_model(tmp_path, biases):
    member = dual_encoder(word_dim=64, embed_dim=300)
    save_model(member, tmp_path / "member")
    model = pruned(member, rate=0.6, biases=biases)
    save_model(model, tmp_path / "pruned")
    back = load_model(tmp_path / "pruned")
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
    assert torch.equal(scores(back, "hybrid"), scores(model, "hybrid"))
    assert back.inner.settings == model.inner.settings and not back.training
    before, after = (
        (tmp_path / name / "model.safetensors").stat().st_size for name in ("member", "pruned")
    )
    tensors = pruned_tensors(modules_of(member, None), biases)
    zeros = round(0.6 * sum(t.numel() for t in tensors))
    gained = 4 * zeros - sum(t.numel() for t in tensors) / 8
    assert before - after == pytest.approx(gained, rel=0.1)


def test_a_damaged_checkpoint_is_named(tmp_path):
    save_model(pruned(dual_encoder()), tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"broken checkpoint .*; delete it and train again"):
        load_model(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"no checkpoint here \(.*model\.safetensors is missing\)"):
        load_model(tmp_path)


def test_a_rate_that_leaves_a_layer_nothing_is_refused():
    member = dual_encoder()
    with torch.no_grad():
        member.item_latent.linear.weight.mul_(1e-3)
    with pytest.raises(
        ConfigError,
        match=r"rate: 0\.9 leaves a layer of item_latent no weight; lower it, or leave item_latent "
        r"out of `parts`",
    ):
        pruned(member, rate=0.9, parts=["item_latent", "item_concept"])


def test_a_member_of_another_family_is_refused():
    other = build_model(AlignedSettings(family="aligned"), 4, 4)
    with pytest.raises(
        DataError, match=r"'de' is a trained model of family aligned, but pruning takes one of fam"
    ):
        pruned(other)


def test_a_part_that_the_model_lacks_is_answered_with_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"parts: the model has no part 'rnn'; .*allowed: item_rnn"
    ):
        modules_of(dual_encoder(), ["rnn"])
