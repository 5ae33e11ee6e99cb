"""The configs of SCAN's precomputed sets have the published settings."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from polymatch.errors import ConfigError
from polymatch.settings.config import config_schema, load_config

ROOT = Path(__file__).parents[2]
CONFIGS = ["flickr30k_precomp", "coco_precomp"]


def raw(name):
    return yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())


@pytest.fixture(scope="module")
def configs():
    for name in CONFIGS:
        assert list(Draft202012Validator(config_schema()).iter_errors(raw(name))) == []
    return {name: load_config(raw(name)) for name in CONFIGS}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_three_models_have_their_published_widths_and_training(configs, name):
    config = configs[name]
    assert [entry.module for entry in config.models.values()] == ["saf", "sgr", "sgraf"]
    assert config.models["sgraf"].members == ["saf", "sgr"] and config.baseline == "saf"
    for entry in (config.models["saf"], config.models["sgr"]):
        assert (entry.embed_dim, entry.sim_dim, entry.word_dim) == (1024, 256, 300)
        assert (entry.num_layers, entry.bidirectional, entry.steps) == (1, True, 3)
        assert (entry.smoothing, entry.dropout) == (9.0, 0.4)
        assert (entry.loss.margin, entry.loss.hardest, entry.loss.published) == (0.2, True, False)
        training = entry.training
        assert (training.schedule, training.step_factor) == ("step", 0.1)
        assert (training.clip_norm, training.weight_decay) == (2.0, 0.0)
        assert training.select == "val_rsum" and training.patience is None


def published(config, name):
    entry = config.models[name]
    training = entry.training
    return (entry.loss.daa_weight, training.epochs, training.step_epochs, training.lr)


def test_what_differs_between_data_sets_is_as_published(configs):
    """DAA's weight, epochs, the epoch that the rate falls after, the rate of a process."""
    assert published(configs["flickr30k_precomp"], "saf") == (10, 40, 20, 6e-4)
    assert published(configs["flickr30k_precomp"], "sgr") == (10, 40, 30, 6e-4)
    for name in ("saf", "sgr"):
        assert published(configs["coco_precomp"], name) == (25, 30, 20, 1.5e-4)
    sizes = {
        name: (config.models["sgr"].training.batch_size, config.models["sgr"].training.processes)
        for name, config in configs.items()
    }
    assert sizes == {"flickr30k_precomp": (128, 1), "coco_precomp": (128, 4)}


def test_splits_words_and_figures_are_those_of_the_published_tables(configs):
    for name, config in configs.items():
        folder = "f30k_precomp" if name == "flickr30k_precomp" else name
        assert config.data.source == "scan_precomp" and config.encoder.given
        assert config.data.root == f"resources/{folder}"
        assert (config.data.precomp.train, config.data.precomp.val) == ("train", "dev")
        assert (config.data.precomp.captions_per_image, config.data.precomp.val_images) == (5, 1000)
        assert config.words.vocabulary == f"resources/{folder}/{folder}_vocab.json"
        assert config.evaluation.asp
    coco, flickr = configs["coco_precomp"], configs["flickr30k_precomp"]
    assert (coco.data.precomp.test, flickr.data.precomp.test) == ("testall", "test")
    assert coco.evaluation.pmrp == "resources/coco_precomp/instances_val2014.json"
    assert (coco.evaluation.folds, flickr.evaluation.folds) == (5, None)
    assert flickr.evaluation.pmrp is None


def test_regions_are_features_already():
    config = raw("flickr30k_precomp")
    config["encoder"] = {"name": "butd"}
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert str(caught.value) == (
        "encoder.given: false does not go with `data.precomp`, whose regions are features already; "
        "set it to true"
    )
