import copy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from polymatch.errors import ConfigError
from polymatch.settings.config import config_schema, load_config
from polymatch.settings.document import readme_text, schema_text

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def changed(path, value):
    config = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("modls", {}, r"modls: unknown key 'modls'; did you mean 'models'\?"),
        ("data.rot", "x", r"data\.rot: unknown key 'rot'; did you mean 'root'\?"),
        (
            "models.pcme.hiden",
            8,
            r"models\.pcme\.hiden: unknown key 'hiden'; did you mean 'hidden'",
        ),
        ("models.pcme.training.epoch", 8, r"pcme\.training\.epoch: unknown .* mean 'epochs'\?"),
        ("models.pcme.training.epochs", "ten", r"epochs: 'ten' is not allowed: .* integer"),
        ("models.pcme.training.epochs", 0, r"epochs: 0 is not allowed: .* greater than or equal"),
        ("models.pcme.training.epochs", True, r"epochs: True is not allowed: .* integer"),
        ("models.pcme.tau", "warm", r"models\.pcme\.tau: 'warm' is not allowed: .* number"),
        ("models.pcme.family", "pcmee", r"unknown family 'pcmee'; allowed: .*probabilistic"),
        ("models.new", {"hidden": 3}, r"models\.new\.family: is missing; allowed: aligned"),
        ("models.new", 3, r"models\.new: 3 is not allowed"),
        ("models.pcme.loss", "poly", r"models\.pcme: .*'poly' needs a `teacher`"),
        ("models.pcme.teacher", "fixt", r"unknown teacher 'fixt'; did you mean 'fixed'\?"),
        ("models.pcme.max_logvar", -9, r"min_logvar -5\.0 must be below max_logvar -9"),
        ("models.pcme.similarities", ["mean", "mean"], r"similarities are named twice"),
        ("models.a/b", {"family": "aligned"}, r"models\.a/b: 'a/b' is not allowed"),
        ("baseline", "aligne", r"baseline: unknown model 'aligne'; did you mean 'aligned'\?"),
        ("seeds", [0, -1], r"seeds\.1: -1 is not allowed"),
        ("seeds", [], r"seeds: \[\] is not allowed"),
        ("device", "gpu", r"device: 'gpu' is not allowed"),
        ("teachers.domain.min_logvar", 3, r"teachers\.domain: .*min_logvar 3\.0 must be below"),
        ("teachers.fixed.source", "fixd", r"'fixd' is not allowed: .*'fixed' or 'domain'"),
        (
            "deployment.adc_bits",
            [1, 8],
            r"deployment\.adc_bits\.0: 1 is not allowed: .* equal to 2",
        ),
        (
            "deployment.at_bits",
            9,
            r"deployment: .*at_bits 9 is not one of adc_bits \[4, 5, 6, 7, 8",
        ),
        ("deployment.retain", 0, r"deployment\.retain: 0 is not allowed: .* greater than 0"),
        ("deployment.retain", 1.1, r"deployment\.retain: 1\.1 is not allowed: .* less than or eq"),
        ("deployment.programming_seeds", 1, r"programming_seeds: 1 is not allowed: .* equal to 2"),
        ("models.poly_{nope}", {"family": "aligned", "grid": {"x": [1]}}, r"the name may use"),
        ("models.p_{hidden}", {"grid": {"hidden": 3}}, r"grid: .* must map keys"),
        ("models.poly_fixed_3", {"family": "aligned"}, r"'poly_fixed_3' is defined twice"),
    ],
)
def test_a_wrong_config_is_one_line_that_says_what_is_allowed(path, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(changed(path, value))
    assert "\n" not in str(caught.value)


def test_a_missing_required_key_is_named():
    config = copy.deepcopy(DEFAULT)
    del config["models"]["pcme"]["loss"]
    with pytest.raises(ConfigError, match=r"models\.pcme\.loss: is missing"):
        load_config(config)


def test_an_unknown_model_or_teacher_is_answered_with_the_known_ones():
    config = load_config(DEFAULT)
    with pytest.raises(
        ConfigError, match=r"unknown model 'pcm'; did you mean 'pcme'\? allowed: al"
    ):
        config.model_entry("pcm")
    with pytest.raises(ConfigError, match=r"unknown teacher 'x'; allowed: fixed, domain"):
        config.teacher_entry("x")


def test_numbers_may_be_written_without_a_dot():
    assert (
        load_config(changed("models.pcme.training.lr", "5e-6")).models["pcme"].training.lr == 5e-6
    )


def test_the_grid_gives_ordinary_entries_and_untrained_models_one_run():
    config = load_config(DEFAULT)
    grid = {(t, d) for t in ("fixed", "domain") for d in (3, 4, 5, 6)}
    entries = {name: entry for name, entry in config.models.items() if name.startswith("poly_")}
    assert {(entry.teacher, entry.degree) for entry in entries.values()} == grid
    assert len(config.runs_of("poly_domain_3")) == 3
    assert len(config.runs_of("aligned")) == 1


def test_a_dotted_grid_key_reaches_into_a_section():
    config = load_config(
        {
            "models": {
                "aligned": {"family": "aligned"},
                "pcme_{training_lr}": {
                    "family": "probabilistic",
                    "loss": "sampled",
                    "similarities": ["mean"],
                    "training": {"epochs": 7},
                    "grid": {"training.lr": [0.1, 0.01]},
                },
            }
        }
    )
    assert config.models["pcme_0.1"].training.lr == 0.1
    assert config.models["pcme_0.01"].training.epochs == 7


def test_the_schema_accepts_the_default_and_refuses_a_misspelt_key():
    validator = Draft202012Validator(config_schema())
    validator.check_schema(config_schema())
    assert list(validator.iter_errors(DEFAULT)) == []
    assert list(validator.iter_errors(changed("models.pcme.hiden", 8)))
    assert list(validator.iter_errors(changed("evaluation.resample", 8)))


def test_schema_and_readme_are_those_of_the_types():
    """`make docs` writes them."""
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == schema_text()
    assert (ROOT / "config/README.md").read_text() == readme_text()


def test_a_config_survives_its_own_json():
    config = load_config(DEFAULT)
    import json

    assert load_config(json.loads(config.model_dump_json())) == config
