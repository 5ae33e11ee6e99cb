"""Checkpoints in the published layouts give what modules of their layout give."""

import pytest
import torch
import yaml
from torch import nn

from polymatch.errors import ConfigError, DataError
from polymatch.models import first_model, load_model, save_model
from polymatch.models.projection import load_published
from polymatch.settings.projection import ProjectionSettings

from .layouts import (
    HIDDEN,
    IMAGE,
    KINDS,
    OUTPUT,
    TEXT,
    CrossLayout,
    checkpoint,
    config,
    cross_checkpoint,
    heads,
    moved,
    written,
)


@pytest.fixture
def features():
    torch.manual_seed(2)
    return torch.randn(5, IMAGE) * 3, torch.randn(7, TEXT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["training", "tuning", "data parallel"])
def test_encodings_are_those_of_the_published_modules(tmp_path, features, kind, layout):
    content = checkpoint(kind)
    if layout == "tuning":
        (tmp_path / "cfg.yaml").write_text(yaml.safe_dump(content["config"]))
        content = {"model": content["image_head_state"], "text_model": content["text_head_state"]}
    if layout == "data parallel":
        for side in ("image_head_state", "text_head_state"):
            content[side] = {f"module.{name}": value for name, value in content[side].items()}
    model = load_published(written(tmp_path, content))
    assert not model.training and model.widths == (IMAGE, TEXT)
    assert model.settings.head.type == kind and model.settings.loss.tau == 0.04
    training = model.settings.training
    assert (training.epochs, training.lr, training.patience) == (9, 1e-4, 5)
    with torch.inference_mode():
        found = model.encode_items(features[0]), model.encode_captions(features[1])
        expected = [head(x) for head, x in zip(heads(kind), features, strict=True)]
    torch.testing.assert_close(list(found), expected, atol=1e-6, rtol=0)


def test_cross_modal_scores_are_those_of_the_published_module_on_each_pair_alone(
    tmp_path, features
):
    model = load_published(written(tmp_path, cross_checkpoint()))
    torch.manual_seed(0)
    theirs = moved(CrossLayout())
    with torch.inference_mode():
        found = model.similarity(
            model.encode_items(features[0]), model.encode_captions(features[1])
        )
        for i, j in ((i, j) for i in range(5) for j in range(7)):
            image, text = theirs(features[0][i : i + 1], features[1][j : j + 1])
            torch.testing.assert_close(found[i, j], (image * text).sum(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"type": "clip"}, ("softmax", 1 / 25)),
        ({"type": "softmax_infonce", "learnable_scale": True}, ("softmax", 0.04)),
        ({"type": "queue_infonce", "temperature": 0.001}, ("queue", 0.001)),
        ({"type": "sigmoid_infonce", "temperature": None}, ("sigmoid", 0.07)),
    ],
)
def test_the_loss_is_what_the_config_tells_and_nothing_is_learnt(tmp_path, loss, expected):
    model = load_published(written(tmp_path, checkpoint("clip", config=config("clip", **loss))))
    assert model.settings.loss.type == expected[0]
    assert model.settings.loss.tau == pytest.approx(expected[1])
    assert not model.settings.learns_temperature and model.logit_scale is None


def without(content, name):
    return {key: value for key, value in content.items() if key != name}


def with_state(kind="mlp", side="image_head_state", **tensors):
    content = checkpoint(kind)
    content[side] = {**content[side], **tensors}
    content[side] = {name: value for name, value in content[side].items() if value is not None}
    return content


def with_config(kind="mlp", **model):
    told = config(kind)
    return checkpoint(kind, config={**told, "model": {**told["model"], **model}})


WRONG = {
    "list": ([1], r"holds a list, not the dict of a published checkpoint"),
    "other dict": ({"text": {}}, r"neither 'image_head_state' nor 'model' and .*\(it has: text\)"),
    "no config": (without(checkpoint(), "config"), r"its config is a NoneType, not a mapping"),
    "no text": (without(checkpoint(), "text_head_state"), r"no 'text_head_state' in it, which a "),
    "state": (checkpoint(text_head_state=[1]), r"'text_head_state': a list, not a state dict"),
    "type": (with_config(type="transformer"), r"model\.type = 'transformer', which is no publish"),
    "no type": (with_config(type=None), r"model\.type = None, .*known: align, attention, blip"),
    "section": (checkpoint(config={"model": 3}), r"its config says model = 3, which is not a map"),
    "value": (with_config(hidden_dim="x"), r"config says head\.hidden_dim = 'x': .*integer"),
    "first": (with_state(**{"projection.0.weight": None}), r"projection\.0\.weight is missing"),
    "vector": (
        with_state(**{"projection.0.weight": torch.ones(3)}),
        r"'image_head_state': projection\.0\.weight is not a matrix",
    ),
    "lacks": (with_state(**{"projection.3.bias": None}), r"lacks projection\.3\.bias; a publish"),
    "more": (with_state(extra=torch.ones(1)), r"has also extra; a published head of type mlp"),
    "other type": (
        with_config(type="clip"),
        r"has also projection\.4\.bias, projection\.4\.weight; a published head of type clip",
    ),
    "shape": (
        with_config(output_dim=7),
        r"projection\.3\.weight has shape \(6, 12\), not \(7, 12\), which its config asks for",
    ),
    "layers": (
        with_config("attention", num_layers=3),
        r"lacks attention_layers\.2\.in_proj_bias, attention_layers\.2\.in_proj_weight",
    ),
    "attention": (
        with_state("attention", **{"attention_layers.1.in_proj_bias": torch.ones(16)}),
        r"attention_layers\.1\.in_proj_bias has shape \(16,\), not \(48,\)",
    ),
    "heads": (with_config("attention", num_heads=3), r"width 16 are not divisible by num_heads 3"),
    "number": (with_state(**{"projection.0.bias": 1}), r"projection\.0\.bias has shape int, not"),
    "nan": (
        with_state(
            side="text_head_state", **{"projection.0.bias": torch.full((HIDDEN,), torch.nan)}
        ),
        r"'text_head_state': projection\.0\.bias holds NaN or infinity; train it again",
    ),
    "hidden nan": (
        with_state(
            "attention", **{"attention_layers.0.in_proj_bias": torch.full((48,), torch.inf)}
        ),
        r"attention_layers\.0\.in_proj_bias holds NaN or infinity",
    ),
    "code": (checkpoint(config=nn.Linear(1, 1)), r"holds torch\.nn\.modules\.linear\.Linear, more"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_the_file(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        load_published(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"best_model\.pt: no such file"):
        load_published(tmp_path / "best_model.pt")
    (tmp_path / "best_model.pt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError, match=r"not a whole file of torch\.save"):
        load_published(tmp_path / "best_model.pt")


def test_a_checkpoint_of_the_tuning_needs_its_config(tmp_path):
    path = written(tmp_path, {"model": {}, "text_model": {}})
    with pytest.raises(DataError, match=r"cfg\.yaml: no such file; a checkpoint of the tuning"):
        load_published(path)
    for text, message in (("a: [", r"cfg\.yaml: not YAML"), ("3", r"cfg\.yaml\) is a int, not a")):
        (tmp_path / "cfg.yaml").write_text(text)
        with pytest.raises(DataError, match=message):
            load_published(path)


def entry(path, head, **more):
    raw = {"family": "projection", "head": head, "loss": {"type": "softmax"}}
    return ProjectionSettings.model_validate({**raw, "published_checkpoint": str(path), **more})


def test_an_entry_takes_the_checkpoint_as_it_is(tmp_path, features):
    path = written(tmp_path, checkpoint("clip"))
    loss = {"type": "sigmoid", "learnable": True}
    head = {"type": "clip", "output_dim": OUTPUT, "dropout": 0.3}  # which scoring has no use for
    model = first_model(entry(path, head, loss=loss), IMAGE, TEXT)
    assert model.settings.loss.type == "sigmoid" and not model.settings.trained
    save_model(model, tmp_path / "run")
    again = load_model(tmp_path / "run")
    with torch.inference_mode():
        assert torch.equal(again.encode_items(features[0]), model.encode_items(features[0]))


@pytest.mark.parametrize(
    ("kind", "head", "message"),
    [
        (
            "mlp",
            {"type": "siglip"},
            r"has a head of type mlp, but .* siglip; set `head\.type: mlp`",
        ),
        (
            "mlp",
            {"type": "mlp"},
            r"has output_dim 6, but the model's entry says 512; set `head\.ou",
        ),
        (
            "mlp",
            {"type": "mlp", "output_dim": OUTPUT},
            r"has hidden_dim 12, but the model's entry says 1024; set `head\.hidden_dim: 12`",
        ),
        (
            "clip",
            {"type": "clip", "output_dim": OUTPUT, "hidden_dim": 3},
            r"has hidden_dim null, but the model's entry says 3; set `head\.hidden_dim: null`",
        ),
        (
            "align",
            {"type": "align", "output_dim": OUTPUT, "hidden_dim": HIDDEN, "use_bn": False},
            r"has use_bn true, but the model's entry says false; set `head\.use_bn: true`",
        ),
        (
            "attention",
            {"type": "attention", "output_dim": OUTPUT, "num_layers": 1},
            r"has num_layers 2, but the model's entry says 1",
        ),
    ],
)
def test_an_entry_that_says_otherwise_is_told_so(tmp_path, kind, head, message):
    path = written(tmp_path, checkpoint(kind))
    with pytest.raises(ConfigError, match=message):
        first_model(entry(path, head), IMAGE, TEXT)


def test_features_of_another_width_are_refused(tmp_path):
    path = written(tmp_path, checkpoint())
    head = {"type": "mlp", "output_dim": OUTPUT, "hidden_dim": HIDDEN}
    with pytest.raises(ConfigError, match=r"for inputs of width 16 .*, but the data set's have 3"):
        first_model(entry(path, head), 3, TEXT)
