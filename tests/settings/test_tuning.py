"""Studies: every file is possible, what is wrong in one is said in one line."""

import itertools
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config
from polymatch.settings.document import tuning_schema_text
from polymatch.settings.search_space import (
    entries_covering,
    final_entry,
    load_tuning,
    parse_tuning,
    trial_entry,
    tuning_schema,
    walk,
)

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "config/tuning").glob("*.yaml"))
BASE = {
    "family": "probabilistic",
    "similarities": ["mean"],
    "training": {"epochs": 30, "batch_size": 8},
}
SPACE = {
    "loss": {"choices": ["mean", "sampled", "soft"]},
    "K_train": {"low": 1, "high": 5, "when": {"loss": ["sampled", "soft"]}},
    "init_scale": {"low": 0.5, "high": 5.0, "log": True, "when": {"loss": ["soft"]}},
    "training.lr": {"low": 1e-4, "high": 1e-2, "log": True},
}


def study(**changes):
    return {"base": BASE, "space": SPACE, **changes}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_a_study_all_of_whose_values_are_possible(path):
    settings = load_tuning(path)
    raw = yaml.safe_load(path.read_text())
    assert list(Draft202012Validator(tuning_schema()).iter_errors(raw)) == []
    assert {entry.family for entry in entries_covering(settings)} == {settings.base["family"]}


def test_the_published_studies_have_the_published_sizes():
    raw = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
    trials = {"default": 150, "siglip": 50, "clip": 50, "attention": 75, "mlp": 40}
    assert {name: raw[name]["trials"] for name in trials} == trials
    assert {raw[name]["captions"] for name in trials} == {100_000}
    pruners = {name: tuple(raw[name]["pruner"].values()) for name in trials}
    assert pruners == {name: ("asha", 2, 4 if name == "default" else 3, 1) for name in trials}


@given(st.randoms(use_true_random=False))
def test_a_walk_picks_each_key_exactly_where_its_conditions_hold(random):
    settings = parse_tuning(study())
    choice = walk(settings, lambda key, dimension: random.choice(dimension.ends))
    assert ("K_train" in choice) == (choice["loss"] in ("sampled", "soft"))
    assert ("init_scale" in choice) == (choice["loss"] == "soft")
    entry = trial_entry(settings, choice)
    for key, value in choice.items():
        found = entry.model_dump()
        for part in key.split("."):
            found = found[part]
        assert found == value


def test_a_condition_on_a_key_that_is_left_out_does_not_hold():
    space = {
        "loss": {"choices": ["mean", "soft"]},
        "variance.kind": {"choices": ["kl", "upper"], "when": {"loss": ["soft"]}},
        "variance.max_var": {"low": 0.1, "high": 1.0, "when": {"variance.kind": ["upper"]}},
    }
    settings = parse_tuning(study(space=space))
    for values in (["mean"], ["soft", "kl"], ["soft", "upper", 0.5]):
        picks = dict(zip(space, values, strict=False))
        assert walk(settings, lambda key, dimension, picks=picks: picks[key]) == picks


def test_a_condition_may_be_on_the_base():
    space = {"tau": {"choices": [0.1], "when": {"loss": ["soft"]}}, "hidden": {"choices": [8]}}
    for loss, keys in (("soft", ["tau", "hidden"]), ("mean", ["hidden"])):
        settings = parse_tuning(study(base={**BASE, "loss": loss}, space=space))
        assert list(walk(settings, lambda key, dimension: dimension.ends[0])) == keys


def test_a_trial_has_the_studys_training_and_the_best_entry_the_bases():
    settings = parse_tuning(study(epochs=7, patience=2))
    choice = {"loss": "mean", "training.lr": 1e-3}
    trial, final = trial_entry(settings, choice), final_entry(settings, choice)
    assert (trial.training.epochs, trial.training.patience, trial.training.select) == (
        7,
        2,
        "val_r1",
    )
    assert (final.training.epochs, final.training.patience) == (30, None)
    assert trial.training.lr == final.training.lr == 1e-3
    raw = {"models": {"aligned": {"family": "aligned"}, "best": final.model_dump(mode="json")}}
    assert load_config(raw).models["best"] == final


def test_the_entries_cover_every_choice_and_end():
    entries = list(entries_covering(parse_tuning(study())))
    assert {entry.loss for entry in entries} == {"mean", "sampled", "soft"}
    assert {entry.training.lr for entry in entries} >= {1e-4, 1e-2}
    assert {entry.K_train for entry in entries if entry.loss != "mean"} >= {1, 5}


def test_a_value_that_is_possible_with_some_others_is_kept():
    space = {
        "min_logvar": {"choices": [-5.0, 1.0]},
        "init_logvar": {"choices": [0.0, 1.5]},
        "loss": {"choices": ["mean"]},
    }
    settings = parse_tuning(study(space=space))
    possible = 0
    for values in itertools.product(*(d.ends for d in settings.space.values())):
        try:
            trial_entry(settings, dict(zip(space, values, strict=True)))
            possible += 1
        except ConfigError as error:
            assert str(error) == (
                "init_logvar 0.0 must lie between min_logvar 1.0 and max_logvar 2.0 "
                "(min_logvar=1.0, init_logvar=0.0, loss=mean, training.epochs=20, "
                "training.patience=None, training.select=val_r1)"
            )
    assert possible == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, r"^trails: unknown key 'trails'; did you mean 'trials'\? allowed: base"),
        ({"trials": 0}, r"^trials: 0 is not allowed: .* greater than or equal to 1"),
        ({"sampler": "tp"}, r"^sampler: 'tp' is not allowed: .* 'tpe' or 'random'"),
        ({"select": "last"}, r"^select: 'last' is not allowed: .* 'val_r1'"),
        ({"storage": "mysql://x"}, r"^storage 'mysql://x' is neither sqlite:///FILE nor a path"),
        ({"epochs": 6}, r"^the pruner first compares trials at epoch 6 .* they have 6 epochs"),
        ({"pruner": {"type": "hyper"}}, r"^pruner\.type: 'hyper' is not .* 'asha' or 'none'"),
        ({"base": {}}, r"^base\.family: is missing; allowed: .*probabilistic"),
        ({"base": {"family": "aligned"}}, r"^base\.family: 'aligned' is not one that is trained"),
        ({"base": {**BASE, "hiden": 3}}, r"^base\.hiden: unknown key 'hiden'; did you mean 'hidd"),
        ({"space": {}}, r"^space: is not allowed: .* at least 1 item"),
        ({"space": {"loss": {"chices": []}}}, r"^space\.loss\.chices: unknown key 'chices'; did"),
        ({"space": {"loss": {"choices": []}}}, r"^space\.loss\.choices: \[\] is not allowed"),
        (
            {"space": {"loss": {"choices": [["mean"]]}}},
            r"^space\.loss\.choices\.0: \['mean'\] is not allowed: a choice is a number, a text",
        ),
        ({"space": {"loss": {}}}, r"^space\.loss: .*either `choices`, or `low` and `high`, are"),
        ({"space": {"tau": {"choices": [1.0], "low": 1}}}, r"^space\.tau: .*`choices` go without"),
        ({"space": {"tau": {"choices": [1, 1]}}}, r"^space\.tau: .*\[1, 1\] is there twice"),
        ({"space": {"tau": {"low": 2, "high": 1}}}, r"^space\.tau: .*low 2 must be below high 1"),
        ({"space": {"tau": {"low": 0, "high": 1, "log": True}}}, r"^space\.tau: .*`log` needs a"),
        ({"space": {"tau": {"low": "5e-1", "high": 0.1}}}, r"low 0\.5 must be below high 0\.1"),
        ({"space": {"tau": {"low": "x", "high": 1}}}, r"^space\.tau\.low.*'x' is not allowed"),
        ({"space": {"family": {"choices": ["x"]}}}, r"^space\.family: one study is of one family"),
        (
            {"space": {"training.epochs": {"choices": [3]}}},
            r"^space\.training\.epochs: all trials have the study's own `epochs`; leave it out",
        ),
        (
            {"space": {"loss": {"choices": ["mean", "men"]}}},
            r"^space\.loss: 'men' is not allowed: .*'sampled'",
        ),
        (
            {"space": {**SPACE, "training.lrr": {"choices": [3]}}},
            r"^space\.training\.lrr: unknown key 'lrr'; did you mean 'lr'\?",
        ),
        (
            {"space": {**SPACE, "tau": {"low": -1.0, "high": 1.0}}},
            r"^space\.tau: -1\.0 is not allowed: .* greater than 0",
        ),
        (
            {"space": {**SPACE, "min_logvar": {"choices": [-5.0, 3.0]}}},
            r"^min_logvar 3\.0 must be below max_logvar 2\.0 \(.*; min_logvar=3\.0 is possible "
            r"with none of 64 choices of the rest",
        ),
        (
            {"space": {**SPACE, "tau": {"choices": [1.0], "when": {"los": ["mean"]}}}},
            r"^space\.tau\.when\.los: neither a key of `space` above .*did you mean 'loss'\?",
        ),
        (
            {"space": {"tau": {"choices": [1.0], "when": {"loss": ["mean"]}}, **SPACE}},
            r"^space\.tau\.when\.loss: neither a key of `space` above this one nor set in `base`",
        ),
        (
            {"space": {**SPACE, "tau": {"choices": [1.0], "when": {"loss": ["sampld"]}}}},
            r"^space\.tau\.when\.loss: 'sampld' is not a choice of loss; did you mean 'sampled'",
        ),
        (
            {"space": {**SPACE, "tau": {"choices": [1.0], "when": {"training.lr": [1e-4]}}}},
            r"^space\.tau\.when\.training\.lr: training\.lr has no `choices` to depend on",
        ),
        (
            {"space": {"loss": {"choices": ["mean", "poly"]}}, "base": {**BASE, "teacher": "x"}},
            r"^base: a model that needs a surrogate cannot be tuned; take a sweep",
        ),
        (
            {"base": {**BASE, "published_checkpoint": "x"}},
            r"^base: a published checkpoint is not trained; leave it out",
        ),
    ],
)
def test_what_is_wrong_in_a_study_is_one_line_that_names_it(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_tuning(study(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"study\.yaml: not readable as YAML: while parsing"),
        ("[1]", r"study\.yaml: a study is a mapping of keys to values, not \[1\]"),
        ("base: {family: probabilistic}", r"study\.yaml: space: is missing and has no default"),
    ],
)
def test_a_file_is_named_with_what_is_wrong_in_it(tmp_path, text, message):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_tuning(tmp_path / "study.yaml")
    assert "\n" not in str(caught.value)


def test_an_unknown_study_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown study 'siglp' .*did you mean 'siglip'\?"):
        load_tuning(ROOT / "config/tuning/siglp.yaml")


def test_settings_survive_their_own_json():
    settings = parse_tuning(study(captions=10, timeout=3))
    assert parse_tuning(json.loads(settings.model_dump_json())) == settings


def test_the_schema_is_that_of_the_types():
    """`make docs` writes it."""
    assert (ROOT / "workflow/schemas/tuning.schema.json").read_text() == tuning_schema_text()
    validator = Draft202012Validator(tuning_schema())
    assert list(validator.iter_errors(study())) == []
    assert list(validator.iter_errors(study(trails=3)))
