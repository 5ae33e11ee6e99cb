"""The config of MSR-VTT's official split has the published settings of Dual Encoding++."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from polymatch.settings.config import config_schema, load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config():
    raw = yaml.safe_load((ROOT / "config/msrvtt_official.yaml").read_text())
    assert list(Draft202012Validator(config_schema()).iter_errors(raw)) == []
    return load_config(raw)


def test_splits_words_and_tags_are_the_published_ones(config):
    assert config.data.source == "bigfile" and config.encoder.given
    assert config.data.root == "resources/msrvtt10k"
    section = config.data.bigfile
    assert section.features == "FeatureData/resnext101-resnet152"
    names = [section.train, section.val, section.test]
    assert names == ["msrvtt10ktrain", "msrvtt10kval", "msrvtt10ktest"]
    words, tags = config.words, config.tags
    assert (words.splits, words.min_count, words.style) == (["train"], 5, "plain")
    assert (words.vectors, words.vocabulary) == ("resources/word2vec", None)
    assert (tags.size, tags.min_count, tags.min_item_count) == (512, 5, 2)


def test_the_baseline_has_the_published_sizes_and_learning_strategies(config):
    entry = config.model_entry(config.baseline)
    assert (entry.family, entry.alpha, entry.pad_zero) == ("dual_encoding", 0.2, True)
    assert (entry.embed_dim, entry.word_dim, entry.word_vectors) == (1536, 500, True)
    for side, kernels in ((entry.items, [2, 3, 4, 5]), (entry.captions, [2, 3, 4])):
        assert (side.rnn_size, side.bidirectional, side.kernels) == (512, True, kernels)
        assert set(side.channels) == {512}
        assert (side.dropout_latent, side.dropout_concept) == (0.2, 0.2)
    assert (entry.loss.margin, entry.loss.hardest, entry.loss.reduction) == (0.2, True, "mean")
    training = entry.training
    assert (training.epochs, training.lr, training.batch_size) == (30, 1e-4, 128)
    assert (training.schedule, training.decay, training.patience) == ("plateau", 0.99, 10)
    assert (training.stale_epochs, training.stale_factor, training.reload) == (3, 0.5, True)
    assert (training.select, training.clip_norm) == ("val_t2v_rsum", 2.0)
    assert training.weight_decay == 0
