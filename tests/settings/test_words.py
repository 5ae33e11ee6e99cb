"""Word vectors that a model asks for and nothing names, said before any job."""

import pytest

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config

DUAL = {"family": "dual_encoding", "word_vectors": True}


def config(words, **others):
    models = {"aligned": {"family": "aligned"}, "dual": DUAL}
    return load_config({"models": models, "words": words, **others})


def test_vectors_that_are_named():
    assert config({"vectors": "encoder"}).words.vectors == "encoder"
    assert config({"vectors": "data/word2vec"}).words.vectors == "data/word2vec"
    without = {"aligned": {"family": "aligned"}, "dual": {**DUAL, "word_vectors": False}}
    assert load_config({"models": without}).words.vectors is None


def test_no_vectors_are_named():
    message = (
        r"^models.dual.word_vectors: no word vectors are named; set `words.vectors` to a BigFile "
        r"folder of word2vec, or to 'encoder'$"
    )
    with pytest.raises(ConfigError, match=message):
        config({})


def test_an_encoder_that_does_not_run_here():
    message = (
        r"^words.vectors: 'encoder' does not go with `encoder.given: true`, where no text encoder "
        r"runs \('resnext' is a name only\); name a BigFile folder of word2vec$"
    )
    with pytest.raises(ConfigError, match=message):
        config({"vectors": "encoder"}, encoder={"name": "resnext", "given": True})
