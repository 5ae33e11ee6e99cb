"""What holds for every head: shapes, independence of the batch, checkpoints, chance."""

import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import nn
from torch.nn.functional import normalize

from polymatch.errors import ConfigError
from polymatch.evaluation import retrieval_metrics
from polymatch.models import build_model, load_model, save_model
from polymatch.models.projection.layers import SingleToken
from polymatch.settings.projection import HEADS, ProjectionSettings

ITEM, CAPTION, OUTPUT = 24, 16, 12
HEAD = {
    "mlp": {"hidden_dim": 20},
    "attention": {"num_heads": 4},
    "cross_modal": {"hidden_dim": 16, "num_heads": 4},
    "siglip": {},
    "clip": {},
    "align": {"hidden_dim": 20},
    "blip": {"hidden_dim": 20},
}
TYPES = {name: {"type": name, **more} for name, more in HEAD.items()}
VARIANTS = {
    **TYPES,
    "attention of a width": {"type": "attention", "hidden_dim": 20, "num_heads": 5},
    "clip of a width": {"type": "clip", "hidden_dim": 7},
    "align with layer norm": {"type": "align", "hidden_dim": 21, "use_bn": False},
    "siglip with dropout": {"type": "siglip", "dropout": 0.5},
}


def build(head, widths=(ITEM, CAPTION), loss="softmax", **more):
    torch.manual_seed(0)
    loss = {"type": loss} if isinstance(loss, str) else loss
    entry = {"family": "projection", "head": {"output_dim": OUTPUT, **head}, "loss": loss, **more}
    return build_model(ProjectionSettings.model_validate(entry), *widths)


def trained_a_little(head):
    """A head whose norms, biases and running statistics are no longer what they start as."""
    model = build(head)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    model.encode_items(torch.randn(30, ITEM) + 1)
    model.encode_captions(torch.randn(30, CAPTION) - 1)
    return model.eval()


def scores(model, items, captions):
    with torch.inference_mode():
        return model.similarity(model.encode_items(items), model.encode_captions(captions))


def test_every_type_has_a_module_of_its_name():
    assert sorted(TYPES) == sorted(HEADS)
    for name in HEADS:
        assert importlib.import_module(f"polymatch.models.projection.{name}").Head


@pytest.mark.parametrize("head", VARIANTS.values(), ids=VARIANTS)
def test_scores_are_cosines_of_any_number_of_rows_and_any_two_widths(head):
    model = trained_a_little(head)
    items, captions = torch.randn(5, ITEM), torch.randn(7, CAPTION)
    found = scores(model, items, captions)
    assert found.shape == (5, 7) and (found.abs() <= 1 + 1e-6).all()
    assert scores(model, items[:0], captions).shape == (0, 7)
    assert scores(model, items, captions[:0]).shape == (5, 0)
    order = torch.randperm(7)
    torch.testing.assert_close(scores(model, items, captions[order]), found[:, order])
    for row in range(5):  # what else is in the batch changes nothing
        torch.testing.assert_close(
            scores(model, items[row : row + 1], captions[:3]), found[row, None, :3]
        )
    prepared = model.prepare_items(model.encode_items(items), model.settings.scored_by[0])
    torch.testing.assert_close(model.similarity(prepared, model.encode_captions(captions)), found)
    if model.settings.scored_by == ["cosine"]:
        assert model.encode_items(items).shape == (5, OUTPUT)
        torch.testing.assert_close(model.encode_items(items).norm(dim=1), torch.ones(5))
    assert not model.samples() and model.diagnostics(items, captions) == {}


@pytest.mark.parametrize("head", VARIANTS.values(), ids=VARIANTS)
def test_a_checkpoint_gives_the_same_scores_back(head, tmp_path):
    model = trained_a_little(head)
    save_model(model, tmp_path)
    items, captions = torch.randn(3, ITEM), torch.randn(4, CAPTION)
    again = load_model(tmp_path)
    assert torch.equal(scores(again, items, captions), scores(model, items, captions))
    assert again.settings == model.settings and not again.training


@pytest.mark.parametrize("head", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("value", [0.0, 1.0, -3e4])
def test_constant_features_have_finite_scores(head, value):
    model = trained_a_little(head)
    found = scores(model, torch.full((3, ITEM), value), torch.full((4, CAPTION), value))
    assert found.isfinite().all()


@pytest.mark.parametrize("head", TYPES.values(), ids=TYPES)
def test_every_parameter_is_trained(head):
    model = build(head)
    encoded = (
        model.encode_items(torch.randn(8, ITEM)),
        model.encode_captions(torch.randn(8, CAPTION)),
    )
    model.similarity(*encoded).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("head", TYPES.values(), ids=TYPES)
def test_an_untrained_head_scores_at_chance(head):
    """Of features that say all: item i and caption i are equal."""
    torch.manual_seed(1)
    features = torch.randn(300, ITEM)
    found = scores(build(head, (ITEM, ITEM)).eval(), features, features)
    metrics = retrieval_metrics(found.numpy(), range(300), range(300))
    most = binom.ppf(1 - 1e-6, 300, 1 / 300)
    assert metrics["t2v_r1"] * 3 <= most and metrics["v2t_r1"] * 3 <= most


@pytest.mark.parametrize("width", [8, 24])
def test_attention_to_one_token_is_multi_head_attention(width):
    torch.manual_seed(3)
    slow = nn.MultiheadAttention(width, 4, dropout=0.3, batch_first=True)
    nn.init.normal_(slow.in_proj_bias)
    fast = SingleToken(width, 4, 0.3)
    with torch.no_grad():
        fast.value.weight.copy_(slow.in_proj_weight[-width:])
        fast.value.bias.copy_(slow.in_proj_bias[-width:])
        fast.out.load_state_dict(slow.out_proj.state_dict())
    x = torch.randn(6, width)
    slow.eval(), fast.eval()
    expected = slow(x[:, None], x[:, None], x[:, None])[0][:, 0]
    torch.testing.assert_close(fast(x), expected, atol=1e-6, rtol=0)
    expected.square().sum().backward()
    fast(x).square().sum().backward()
    assert slow.in_proj_weight.grad[: 2 * width].abs().max() == 0  # queries and keys
    torch.testing.assert_close(fast.value.weight.grad, slow.in_proj_weight.grad[-width:])
    slow.train(), fast.train()  # the same heads are dropped as often, and the rest scaled alike
    with torch.inference_mode():
        ones = x[:1].expand(20_000, -1)
        dropped = [fast(ones), slow(ones[:, None], ones[:, None], ones[:, None])[0][:, 0]]
    for moment in (torch.mean, torch.std):
        torch.testing.assert_close(*(moment(y, dim=0) for y in dropped), atol=0.03, rtol=0)


def test_attention_starts_as_multi_head_attention_does():
    torch.manual_seed(0)
    slow, fast = nn.MultiheadAttention(256, 4), SingleToken(256, 4, 0.0)
    assert fast.value.weight.abs().max() <= math.sqrt(6 / (4 * 256))
    torch.testing.assert_close(
        fast.value.weight.std(), slow.in_proj_weight[-256:].std(), rtol=0.02, atol=0
    )
    torch.testing.assert_close(fast.out.weight.std(), slow.out_proj.weight.std(), rtol=0.02, atol=0)
    assert not fast.value.bias.any() and not fast.out.bias.any()


def test_siglip_starts_from_the_published_deviation():
    head = build({"type": "siglip", "output_dim": 512}, (256, 64))
    assert float(head.items.linear.weight.detach().std()) == pytest.approx(256**-0.5, rel=0.02)
    assert float(head.captions.linear.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.02)
    assert head.items.linear.bias is None


def test_a_width_that_does_not_split_is_refused():
    with pytest.raises(ConfigError, match=r"width 24 are not divisible by num_heads 5; set `head"):
        build({"type": "attention", "num_heads": 5})


def test_another_similarity_is_refused():
    model = build(TYPES["mlp"])
    with pytest.raises(ConfigError, match=r"'poly' is not this model's, which is 'cosine'"):
        model.prepare_items(torch.randn(2, OUTPUT), "poly")


LEARNT = {
    "fixed": ({"type": "softmax", "tau": 0.2}, set()),
    "fixed sigmoid": ({"type": "sigmoid", "tau": 0.2, "bias": -3}, set()),
    "learnt": ({"type": "queue", "tau": 0.2, "learnable": True}, {"logit_scale"}),
    "siglip": (
        {"type": "sigmoid", "tau": 0.2, "bias": -3, "learnable": True},
        {"logit_scale", "logit_bias"},
    ),
}


@pytest.mark.parametrize(("loss", "names"), LEARNT.values(), ids=LEARNT)
def test_the_temperature_is_a_parameter_where_it_is_learnt(loss, names, tmp_path):
    model = build(TYPES["siglip"], loss=loss)
    assert {name for name, _ in model.named_parameters() if name.startswith("logit")} == names
    similarity = torch.rand(3, 4)
    expected = similarity / 0.2 + loss.get("bias", 0)
    torch.testing.assert_close(model.logits(similarity), expected)
    assert float(model.temperature) == pytest.approx(0.2)
    if names:
        (model.logits(similarity).sum()).backward()
        assert model.logit_scale.grad == pytest.approx(float(similarity.sum() / 0.2), rel=1e-5)
        with torch.no_grad():
            model.logit_scale.add_(1.0)
        save_model(model, tmp_path)
        assert float(load_model(tmp_path).temperature) == pytest.approx(0.2 / math.e, rel=1e-5)


@given(st.floats(-5, 20))
@settings(deadline=None, max_examples=30)
def test_a_learnt_scale_stays_below_100_and_can_come_back(value):
    model = build(TYPES["siglip"], loss={"type": "softmax", "learnable": True})
    with torch.no_grad():
        model.logit_scale.fill_(value)
    assert float(model.temperature) >= 0.01 * (1 - 1e-6)
    logits = model.logits(torch.ones(1))
    assert logits.item() == pytest.approx(min(math.exp(value), 100), rel=1e-5)
    logits.sum().backward()
    assert float(model.logit_scale.grad) > 0  # even at the bound
    assert float(1 / model.temperature) == pytest.approx(logits.item(), rel=1e-5)


def test_a_head_is_the_layers_that_its_name_stands_for():
    """The slow form of each, layer by layer, from its own weights."""
    x = torch.randn(6, ITEM)

    def of(name, **more):
        head = trained_a_little({**TYPES[name], **more}).items
        layers = getattr(head, "layers", None)
        return head, layers

    def linear(layer, values):
        return values @ layer.weight.T + layer.bias

    def layer_norm(layer, values):
        centred = values - values.mean(1, keepdim=True)
        scale = (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        return centred / scale * layer.weight + layer.bias

    def gelu(values):
        return values * 0.5 * (1 + torch.erf(values / math.sqrt(2)))

    for name in ("mlp", "blip"):
        head, layers = of(name)
        expected = layer_norm(layers[4], linear(layers[3], gelu(linear(layers[0], x))))
        torch.testing.assert_close(head(x), expected, atol=1e-5, rtol=1e-5)
    head, layers = of("clip")
    assert layers[0].out_features == ITEM // 2
    torch.testing.assert_close(head(x), linear(layers[3], gelu(linear(layers[0], x))))
    head, layers = of("align")

    def batch_norm(layer, values):
        scale = (layer.running_var + 1e-5).sqrt()
        return (values - layer.running_mean) / scale * layer.weight + layer.bias

    hidden = batch_norm(layers[1], linear(layers[0], x)).relu()
    hidden = batch_norm(layers[5], linear(layers[4], hidden)).relu()
    torch.testing.assert_close(head(x), linear(layers[8], hidden), atol=1e-5, rtol=1e-5)
    head, _ = of("siglip")
    torch.testing.assert_close(head(x), layer_norm(head.norm, x) @ head.linear.weight.T)
    model = trained_a_little(TYPES["siglip"])
    torch.testing.assert_close(model.encode_items(x), normalize(model.items(x), dim=1))
