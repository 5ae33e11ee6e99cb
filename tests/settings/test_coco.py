"""The config of COCO has the published settings."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from polymatch.settings.config import config_schema, load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config():
    raw = yaml.safe_load((ROOT / "config/coco_encoded.yaml").read_text())
    assert list(Draft202012Validator(config_schema()).iter_errors(raw)) == []
    return load_config(raw)


def test_its_data_are_the_published_files_with_a_test_of_5000_images(config):
    assert config.data.source == "encoded_pairs" and config.encoder.given
    assert (config.data.pairs.train, config.data.pairs.val) == ("train2017", "val2017")
    assert round(config.data.pairs.test_share * 118_287) == 5000
    assert config.evaluation.k == [1, 5, 10, 50]


def test_every_head_and_every_loss_is_there(config):
    trained = [entry for entry in config.models.values() if entry.trained]
    heads = {"mlp", "attention", "cross_modal", "siglip", "clip", "align", "blip"}
    assert {entry.head.type for entry in trained} == heads
    assert {entry.loss.type for entry in trained} == {
        "sigmoid",
        "softmax",
        "queue",
        "align",
        "blip",
    }
    for entry in trained:
        assert entry.starts_from == "features"
        training = entry.training
        assert (training.epochs, training.patience, training.select) == (50, 5, "val_r1")
        assert (training.clip_norm, training.final_lr) == (1.0, 1.0)


PUBLISHED = {  # batch size, learning rate, temperature, output
    "mlp": (512, 1e-4, 0.07, 512),
    "attention": (256, 1e-4, 0.07, 512),
    "siglip": (512, 1e-4, 0.01, 512),
    "clip": (512, 5e-4, 0.07, 512),
    "mlp_tuned": (2048, 1.3538e-4, 0.01241, 512),
    "attention_tuned": (4096, 1.6122e-4, 0.03944, 1024),
    "siglip_tuned": (512, 1.3844e-4, 0.02007, 1024),
    "clip_tuned": (2048, 2.2215e-4, 0.0418, 1024),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_entry_has_its_published_settings(config, name):
    entry = config.models[name]
    found = entry.training.batch_size, entry.training.lr, entry.loss.tau, entry.head.output_dim
    assert found == PUBLISHED[name]


def test_captions_of_an_image_can_be_kept_apart_in_every_batch(config):
    """A pool, a quarter of the memory, holds five batches: as many as an image has captions."""
    for entry in config.models.values():
        if entry.trained:
            pool = entry.training.memory_mb * (1 << 20) // 4 // (4 * (1536 + 4096))
            assert pool // entry.training.batch_size >= 5
