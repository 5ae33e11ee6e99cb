"""Entries of the projection family: nested sections of several types, and what is wrong in them."""

import copy
import json

import pytest
from jsonschema import Draft202012Validator

from polymatch.errors import ConfigError
from polymatch.settings.config import config_schema, load_config
from polymatch.settings.document import readme_text
from polymatch.settings.families import parse_model
from polymatch.settings.projection import HEADS, LOSSES

ENTRY = {
    "family": "projection",
    "head": {"type": "mlp", "hidden_dim": 64},
    "loss": {"type": "softmax"},
}


def entry(**changes):
    """The entry with other values; ``head__dropout`` reaches into a section."""
    changed = copy.deepcopy(ENTRY)
    for key, value in changes.items():
        section, _, last = key.partition("__")
        (changed[section] if last else changed)[last or section] = value
    return changed


def config(model=ENTRY, **more):
    return {"models": {"aligned": {"family": "aligned"}, "x": model}, **more}


def swept(grid, model=ENTRY):
    return config(model, sweeps={"s": {"model": "x", "grid": grid}})


def test_the_types_are_those_that_were_published_with_their_defaults():
    heads = {
        name: kind(type=name).model_dump(exclude={"type"}) | {"like": kind(type=name).similarity}
        for name, kind in HEADS.items()
    }
    cosine = {"output_dim": 512, "dropout": 0.1, "like": "cosine"}
    assert heads == {
        "align": {**cosine, "hidden_dim": 2048, "use_bn": True},
        "attention": {**cosine, "hidden_dim": None, "num_heads": 8, "num_layers": 2},
        "blip": {**cosine, "hidden_dim": 1024},
        "clip": {**cosine, "hidden_dim": None},
        "cross_modal": {**cosine, "hidden_dim": 1024, "num_heads": 8, "like": "pairwise"},
        "mlp": {**cosine, "hidden_dim": 1024},
        "siglip": {**cosine, "dropout": 0.0},
    }
    losses = {name: kind(type=name).model_dump(exclude={"type"}) for name, kind in LOSSES.items()}
    assert losses == {
        "align": {"tau": 0.05, "learnable": True, "smoothing": 0.1},
        "blip": {"tau": 0.05, "learnable": False, "alpha": 0.4, "momentum": 0.999},
        "queue": {"tau": 0.07, "learnable": False, "queue_size": 4096},
        "sigmoid": {"tau": 0.07, "learnable": False, "bias": 0.0},
        "softmax": {"tau": 0.07, "learnable": False},
    }


def test_an_entry_says_what_it_starts_from_how_it_is_scored_and_which_code_it_needs():
    model = load_config(config()).model_entry("x")
    assert (model.starts_from, model.scored_by, model.trained) == ("features", ["cosine"], True)
    assert model.modules == [
        "polymatch.models.projection",
        "polymatch.losses.projection.softmax",
        "polymatch.models.projection.mlp",
    ]
    assert parse_model(model.model_dump_json()) == model


def test_a_published_one_is_read_and_not_trained():
    raw = entry(published_checkpoint="a.pt", head={"type": "cross_modal"}, loss__learnable=True)
    read = load_config(config(raw))
    model = read.model_entry("x")
    assert (model.scored_by, model.published_files) == (["pairwise"], ["a.pt"])
    assert not model.trained and not model.learns_temperature and len(read.runs_of("x")) == 1
    assert not [name for name in model.modules if "losses" in name]


KNOWN = r"allowed: align, attention, blip, clip, cross_modal, mlp, siglip$"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            entry(head__hiden_dim=3),
            r"config: models\.x\.head\.hiden_dim: unknown key 'hiden_dim'; did you mean "
            r"'hidden_dim'\? allowed: type, output_dim, hidden_dim, dropout$",
        ),
        (
            entry(head__type="mpl"),
            rf"models\.x\.head\.type: unknown type 'mpl'; did you mean 'mlp'\? {KNOWN}",
        ),
        (entry(head={"dropout": 0.1}), rf"models\.x\.head\.type: is missing; {KNOWN}"),
        (entry(head=3), r"models\.x\.head: 3 is not allowed"),
        ({"family": "projection", "loss": {"type": "softmax"}}, r"models\.x\.head: is missing"),
        (entry(loss__type="triplet"), r"x\.loss\.type: unknown type 'triplet'; .*queue, sigmoid"),
        (entry(loss={"type": "queue", "bias": 1}), r"x\.loss\.bias: unknown key 'bias'; .*queue_s"),
        (entry(loss__tau=0), r"x\.loss\.tau: 0 is not allowed: .* greater than 0"),
        (
            entry(loss={"type": "sigmoid", "tau": 0.005, "learnable": True}),
            r"x\.loss: is not allowed: a temperature that is learnt never goes below 0\.01, but "
            r"tau is 0\.005; raise it, or set `learnable: false`$",
        ),
        (entry(loss={"type": "blip", "alpha": 1.5}), r"x\.loss\.alpha: 1\.5 is not allowed: .* 1$"),
        (entry(loss={"type": "blip", "momentum": 1}), r"x\.loss\.momentum: 1 is not allowed"),
        (entry(loss={"type": "align", "smoothing": 1}), r"x\.loss\.smoothing: 1 is not allowed"),
        (entry(loss={"type": "queue", "queue_size": 0}), r"x\.loss\.queue_size: 0 is not allowed"),
        (entry(head__output_dim=0), r"x\.head\.output_dim: 0 is not allowed"),
        (entry(head__dropout=1), r"x\.head\.dropout: 1 is not allowed: .* less than 1"),
        (
            entry(head={"type": "attention", "hidden_dim": 100}),
            r"x\.head: is not allowed: hidden_dim 100 is not divisible by num_heads 8, among",
        ),
        (
            entry(head={"type": "cross_modal", "num_heads": 3}),
            r"x\.head: is not allowed: hidden_dim 1024 is not divisible by num_heads 3",
        ),
        (entry(training={"epoch": 3}), r"x\.training\.epoch: unknown key 'epoch'; did you mean"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(model, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(config(model))
    assert "\n" not in str(caught.value)


def test_a_swept_type_keeps_what_it_shares_and_takes_its_own_defaults():
    grid = {"head.type": ["clip", "siglip", "align", "mlp"], "loss.tau": [0.1, "7e-2"]}
    read = load_config(swept(grid, entry(head__output_dim=32)))
    own = {
        "clip": {"hidden_dim": 64, "dropout": 0.1},
        "siglip": {"dropout": 0.0},
        "align": {"hidden_dim": 64, "dropout": 0.1, "use_bn": True},
        "mlp": {"hidden_dim": 64, "dropout": 0.1},
    }
    expected = [
        (tau, {"type": name, "output_dim": 32, **more})
        for name, more in own.items()
        for tau in (0.1, 0.07)
    ]
    entries = [point.entry for point in read.points["s"]]
    assert [(model.loss.tau, model.head.model_dump()) for model in entries] == expected
    assert [point.name for point in read.points["s"]][-2:] == ["x.head.type_mlp.loss.tau_0.1", "x"]
    assert load_config(json.loads(read.model_dump_json())).entries == read.entries


def test_a_template_may_take_several_types():
    raw = {
        "models": {
            "aligned": {"family": "aligned"},
            "{head_type}_{loss_type}": {
                **entry(head={"output_dim": 32}),
                "grid": {"head.type": ["mlp", "siglip"], "loss.type": ["softmax", "queue"]},
            },
        }
    }
    heads = load_config(raw).models
    assert list(heads)[1:] == ["mlp_softmax", "mlp_queue", "siglip_softmax", "siglip_queue"]
    assert {heads[name].head.output_dim for name in list(heads)[1:]} == {32}


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"head.type": ["mpl"]},
            rf"s\.grid\.head\.type: unknown type 'mpl'; did .*'mlp'\? {KNOWN}",
        ),
        ({"head.type": [["mlp"]]}, r"s\.grid\.head\.type: unknown type"),
        (
            {"head.hiden_dim": [8]},
            r"head\.hiden_dim: unknown key 'hiden_dim'; did .*'hidden_dim'\?",
        ),
        (
            {"head.num_heads": [8]},
            r"unknown key 'num_heads'; allowed: type, output_dim, hidden_dim",
        ),
        ({"head.type.x": [8]}, r"grid\.head\.type\.x: unknown key 'x'; allowed: none"),
        ({"head": [3]}, r"grid\.head: 3 is not allowed"),
        ({"head.dropout": [2]}, r"s\.grid\.head\.dropout: 2 is not allowed: .*less than 1"),
        (
            {"head.type": ["mlp", "siglip"], "head.hidden_dim": [8]},
            r"s\.grid\.head\.hidden_dim: unknown key 'hidden_dim'; allowed: type, output_dim, drop",
        ),
        (
            {"head.type": ["attention"], "head.hidden_dim": [8, 30]},
            r"s\.grid: head\.type=attention, head\.hidden_dim=30 is not allowed: hidden_dim 30 is",
        ),
    ],
)
def test_what_is_wrong_in_a_sweep_of_types_is_named(grid, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(swept(grid))
    assert "\n" not in str(caught.value)


def test_the_schema_knows_every_type_and_the_readme_documents_it():
    validator = Draft202012Validator(config_schema())
    types = [entry(head={"type": name}) for name in HEADS]
    types += [entry(loss={"type": name}) for name in LOSSES]
    for model in types:
        assert list(validator.iter_errors(config(model))) == []
    assert list(validator.iter_errors(config(entry(head__hiden_dim=8))))
    text = readme_text()
    for kind in (*HEADS.values(), *LOSSES.values()):
        assert f"## `{kind.__name__}`" in text and kind.__doc__.split("\n")[0] in text
