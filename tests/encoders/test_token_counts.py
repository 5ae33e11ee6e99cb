"""Encoders say how long a text is to them: of one token too many something is left out."""

import numpy as np
import pytest

from polymatch.encoders import LoadOptions, TokenCounter, load_encoder

from . import tiny_models


@pytest.fixture(scope="module", params=["siglip", "small", "mistral", "efficientnet_minilm"])
def encoder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens") / "model"
    if request.param == "siglip":
        options = LoadOptions(model=str(tiny_models.tiny_siglip(folder)))
        return load_encoder("siglip", "cpu", options)
    if request.param in ("small", "mistral"):
        make = tiny_models.tiny_small_e5 if request.param == "small" else tiny_models.tiny_e5
        return load_encoder("e5", "cpu", LoadOptions(model=str(make(folder))))
    return load_encoder(request.param, "cpu")


def test_the_limit_is_where_words_get_lost(encoder, capsys):
    assert isinstance(encoder, TokenCounter)
    _, limit = encoder.count_tokens("a")
    lengths = {n: encoder.count_tokens("a" + " a" * n)[0] for n in (0, 1, 2)}
    step = lengths[1] - lengths[0]
    assert lengths[2] - lengths[1] == step
    fits = (limit - lengths[0]) // step
    full, more = "a" + " a" * fits, "a" + " a" * (fits + 1)
    assert encoder.count_tokens(full)[0] <= limit < encoder.count_tokens(more)[0]
    capsys.readouterr()
    found = encoder.encode_captions([full])
    assert "tokens" not in capsys.readouterr().out
    cut = encoder.encode_captions([more])
    if encoder.info.name == "efficientnet_minilm":  # which says nothing
        np.testing.assert_allclose(found, cut, atol=1e-6)
    else:
        assert f"1 of 1 captions have more than {limit} tokens" in capsys.readouterr().out
