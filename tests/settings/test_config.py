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


def template(*degrees):
    """An entry that stands for one of each degree."""
    poly = {"family": "probabilistic", "loss": "poly", "similarities": ["poly"]}
    return {**poly, "teacher": "domain", "grid": {"degree": list(degrees)}}


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
        ("models.pcme.training.epoch", 8, r"training\.epoch: unknown .* mean 'epochs'\?"),
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
        ("data.folders", {"tran": "a"}, r"data\.folders\.tran: unknown .*did you mean 'train'\?"),
        ("data.folders", {"train": "a"}, r"data\.folders\.test: is missing"),
        ("data.folders", {"train": "a", "test": "b"}, r"encoder\.given: false does not go with"),
        ("data.pairs", {"trian": "a"}, r"data\.pairs\.trian: unknown .*did you mean 'train'\?"),
        ("data.pairs", {}, r"encoder\.given: false does not go with `data\.pairs`, whose embedd"),
        ("data.pairs", {"test_share": 1}, r"data\.pairs\.test_share: 1 is not allowed: .* less"),
        ("data.pairs", {"draw": "random"}, r"draw: 'random' is not allowed: .*'hash' or 'publ"),
        ("data.val_share", 1, r"data\.val_share: 1 is not allowed: .* less than 1"),
        ("seeds", [0, -1], r"seeds\.1: -1 is not allowed"),
        ("seeds", [], r"seeds: \[\] is not allowed"),
        ("evaluation.k", [1, 5], r"evaluation\.k: \[1, 5\] is not allowed: .*hold 1, 5 and 10"),
        ("evaluation.k", [1, 10, 5], r"evaluation\.k: \[1, 10, 5\] is not allowed: it must ascend"),
        ("evaluation.k", [1, 5, 10, 10], r"evaluation\.k: .* it must ascend"),
        ("evaluation.k", [0, 1, 5, 10], r"evaluation\.k\.0: 0 is not allowed"),
        ("pictures.models", ["pcm"], r"pictures\.models\.0: unknown model 'pcm'; .* 'pcme'\?"),
        ("deployment.models", ["pcm"], r"deployment\.models\.0: unknown model 'pcm'; .* 'pcme'\?"),
        ("pictures.perplexity", 1, r"pictures\.perplexity: 1 is not allowed: .* greater than 1"),
        ("pictures.pairs", 2, r"pictures\.pairs: 2 is not allowed: .* equal to 3"),
        ("pictures.querys", 2, r"pictures\.querys: unknown key .*did you mean 'queries'\?"),
        ("device", "gpu", r"device: 'gpu' is not allowed"),
        ("teachers.domain.min_logvar", 3, r"teachers\.domain: .*min_logvar 3\.0 must be below"),
        ("teachers.fixed.source", "fixd", r"'fixd' is not allowed: .*'fixed', 'pcme' or 'domain'"),
        ("models.pcme.degree", 0, r"models\.pcme\.degree: 0 is not allowed: .* equal to 1"),
        ("models.pcme.degree", 11, r"models\.pcme\.degree: 11 is not allowed: .* equal to 10"),
        ("teachers.fixed.K", 0, r"teachers\.fixed\.K: 0 is not allowed: .* equal to 1"),
        ("models.pcme.K_train", 0, r"models\.pcme\.K_train: 0 is not allowed: .* equal to 1"),
        ("teachers.fixed.a", 0, r"teachers\.fixed\.a: 0 is not allowed: .* greater than 0"),
        (
            "teachers.fixed.log_variance",
            float("nan"),
            r"log_variance: nan is not allowed: .* finite",
        ),
        ("models.poly_{degree}", template(3, 11), r"poly_11\.degree: 11 is not"),
        ("models.pcme.alpha", float("inf"), r"alpha: inf is not allowed: .* finite"),
        ("teachers.t", {"source": "pcme"}, r"teachers\.t: .*'pcme' needs a `model`"),
        ("teachers.fixed.model", "pcme", r"teachers\.fixed: .*`model` is for source 'pcme'"),
        ("teachers.fixed.run_seed", 1, r"`run_seed` is for source 'pcme', not for 'fixed'"),
        (
            "teachers.t",
            {"source": "pcme", "model": "pcm"},
            r"teachers\.t\.model: unknown model 'pcm'; did you mean 'pcme'\?",
        ),
        (
            "teachers.t",
            {"source": "pcme", "model": "poly_domain_5"},
            r"teachers\.t\.model: 'poly_domain_5' is not trained with loss 'sampled'; .*: pcme$",
        ),
        ("teacher_comparison.model", "pcm", r"teacher_comparison\.model: unknown model 'pcm'"),
        ("teacher_comparison.model", "aligned", r"'aligned' is not trained with loss 'sampled'"),
        ("teacher_comparison.degree", 11, r"comparison\.degree: 11 is not allowed"),
        ("benchmark.gallery", [1000, 100], r"benchmark: .*\[1000, 100\] must ascend"),
        ("benchmark.gallery", [0], r"benchmark\.gallery\.0: 0 is not allowed"),
        ("evaluation.certificate_queries", 0, r"certificate_queries: 0 is not allowed"),
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
        ("models.poly_domain_{degree}", template(5), r"'poly_domain_5' is defined twice"),
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


def with_teachers(**needs):
    """The default, with models trained by sampling and scored by poly: model -> its teacher.

    Each has a teacher made from it, called as the model in capitals.
    """
    config = copy.deepcopy(DEFAULT)
    for model, teacher in needs.items():
        entry = {**config["models"]["pcme"], "similarities": ["mean", "poly"], "teacher": teacher}
        config["models"][model] = entry
        config["teachers"][model.upper()] = {"source": "pcme", "model": model}
    return config


def test_a_teacher_made_from_a_model_that_needs_it_is_refused_with_the_way_round():
    message = r"teachers\.ONE\.model: this is a circle: teacher 'ONE' needs model 'one', which "
    with pytest.raises(ConfigError, match=message + r"needs teacher 'ONE'; take a model"):
        load_config(with_teachers(one="ONE"))
    with pytest.raises(ConfigError, match=message + r"needs teacher 'TWO' needs model 'two'"):
        load_config(with_teachers(one="TWO", two="ONE"))


def test_a_teacher_may_be_made_from_a_model_that_has_another_one():
    config = load_config(with_teachers(one="TWO", two="domain"))
    assert config.teacher_run("ONE") == ("one", 0)
    assert config.teacher_run("domain") is None
    assert config.surrogate_teacher("one") == "TWO"
    assert config.surrogate_teacher("pcme") is None
    raw = with_teachers(one="domain")
    raw["teachers"]["ONE"]["run_seed"] = 2
    assert load_config(raw).teacher_run("ONE").seed == 2


def test_a_sampled_model_that_only_names_a_teacher_is_no_circle():
    raw = with_teachers(one="ONE")
    raw["models"]["one"]["similarities"] = ["mean"]
    assert load_config(raw).surrogate_teacher("one") is None


def test_the_table_of_teachers_takes_the_first_sampled_model():
    assert load_config(DEFAULT).comparison_run() == ("pcme", 0)
    raw = with_teachers(one="domain")
    raw["teacher_comparison"] = {"model": "one"}
    assert load_config(raw).comparison_run() == ("one", 0)
    del raw["teacher_comparison"], raw["models"]["pcme"], raw["models"]["one"]
    del raw["teachers"]["ONE"], raw["sweeps"], raw["deployment"]
    assert load_config(raw).comparison_run() is None


def test_the_main_job_draws_the_models_named_on_their_first_seed_and_similarity():
    raw = changed("pictures.models", ["poly_domain_5", "aligned"])
    raw["seeds"] = [4, 5]
    drawn = load_config(raw).pictured()
    assert drawn == [(("poly_domain_5", 4), "poly"), (("aligned", 0), "cosine")]
    assert load_config(changed("pictures.models", [])).pictured() == []
    config = load_config(changed("pictures.models", None))
    assert [run.model for run, _ in config.pictured()] == list(config.models)


def test_numbers_may_be_written_without_a_dot():
    assert (
        load_config(changed("models.pcme.training.lr", "5e-6")).models["pcme"].training.lr == 5e-6
    )


def test_seeds_may_come_from_the_command_line_as_text():
    assert load_config(changed("seeds", ["0", "12"])).seeds == [0, 12]
    with pytest.raises(ConfigError, match=r"seeds\.0: '0\.5' is not allowed"):
        load_config(changed("seeds", ["0.5"]))


def test_the_grid_gives_ordinary_entries_and_untrained_models_one_run():
    config = load_config(changed("models.poly_{degree}", template(3, 4, 6)))
    degrees = {f"poly_{d}": d for d in (3, 4, 6)}
    entries = {name: entry for name, entry in config.models.items() if name in degrees}
    assert {name: entry.degree for name, entry in entries.items()} == degrees
    assert {entry.teacher for entry in entries.values()} == {"domain"}
    assert len(config.runs_of("poly_3")) == 3
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


def test_the_config_of_msr_vtt_has_the_published_settings():
    raw = yaml.safe_load((ROOT / "config/msrvtt_embeddings.yaml").read_text())
    assert list(Draft202012Validator(config_schema()).iter_errors(raw)) == []
    config = load_config(raw)
    published = ["aligned", "pcme", *(f"poly_{degree}" for degree in (3, 4, 5, 6))]
    assert list(config.models) == [*published, "poly_domain_6", "poly_refreshed_6"]
    assert config.sweep_models("degree") == [*published[2:], *published[:2]]
    assert len(config.points["epochs"]) == 6 and len(config.points["hyperparameters"]) == 12
    pcme, poly, fixed = config.models["pcme"], config.models["poly_6"], config.teachers["fixed"]
    assert (pcme.training.epochs, pcme.training.lr, pcme.training.batch_size) == (40, 1e-5, 64)
    assert (pcme.K_train, pcme.K_test, pcme.tau, pcme.similarities) == (5, 15, 0.07, ["mean", "mc"])
    assert (poly.training.epochs, poly.training.lr, poly.degree) == (10, 5e-6, 6)
    assert poly.published and poly.teacher == "fixed"
    assert (fixed.n_pairs, fixed.K, fixed.a, fixed.log_variance) == (300_000, 10, 0.1, -5.0)
    for model in (pcme, poly):
        assert (model.hidden, model.dropout) == (2048, 0.1)
        assert (model.variance.kind, model.variance.weight) == ("kl", 0.001)


def test_schema_and_readme_are_those_of_the_types():
    """`make docs` writes them."""
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == schema_text()
    assert (ROOT / "config/README.md").read_text() == readme_text()


def test_a_config_survives_its_own_json():
    config = load_config(DEFAULT)
    import json

    assert load_config(json.loads(config.model_dump_json())) == config
