"""E5-Mistral and the smaller E5, of the real classes, against plain calls, one text at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

from polymatch.encoders import LoadOptions, encoder_info, load_encoder
from polymatch.errors import ConfigError

from . import tiny_models

TEXTS = ["a man is riding a horse", "Two dogs", "a cat sleeps on the keyboard", "two  dogs, 3!"]
INSTRUCTION = "Instruct: Retrieve semantically similar text.\nQuery: "


@pytest.fixture(scope="module")
def mistral(tmp_path_factory):
    folder = tiny_models.tiny_e5(tmp_path_factory.mktemp("e5") / "mistral")
    return load_encoder("e5", "cpu", LoadOptions(model=str(folder))), folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tiny_models.tiny_small_e5(tmp_path_factory.mktemp("e5") / "e5-small")
    return load_encoder("e5", "cpu", LoadOptions(model=str(folder))), folder


def unit(x):
    return (x / x.norm(dim=-1, keepdim=True)).numpy()


@torch.inference_mode()
def test_mistral_against_the_model_cards_form(mistral):
    """The tokeniser's own begin and end, all texts padded on the right, the last true token."""
    encoder, folder = mistral
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    batch = tokenizer([INSTRUCTION + text for text in TEXTS], padding=True, return_tensors="pt")
    assert batch["input_ids"][0, 0] == 1 and (batch["input_ids"] == 2).any(dim=1).all()
    model = AutoModel.from_pretrained(folder).eval()
    mask = batch["attention_mask"]
    hidden = model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    last = hidden[torch.arange(len(TEXTS)), mask.sum(dim=1) - 1]
    np.testing.assert_allclose(encoder.encode_captions(TEXTS), unit(last), atol=1e-6)


@torch.inference_mode()
def test_mistral_padded_on_the_left_is_the_same(mistral):
    encoder, folder = mistral
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    batch = tokenizer([INSTRUCTION + text for text in TEXTS], padding=True, return_tensors="pt")
    positions = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
    model = AutoModel.from_pretrained(folder).eval()
    hidden = model(**batch, position_ids=positions).last_hidden_state
    np.testing.assert_allclose(encoder.encode_captions(TEXTS), unit(hidden[:, -1]), atol=1e-5)


def test_mistral_gets_its_end_from_a_tokeniser_that_adds_none(mistral, tmp_path):
    encoder, _ = mistral
    folder = tiny_models.tiny_e5(tmp_path / "bare")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer._tokenizer.post_processor = None
    tokenizer.save_pretrained(folder)
    bare = load_encoder("e5", "cpu", LoadOptions(model=str(folder)))
    np.testing.assert_array_equal(bare.encode_captions(TEXTS), encoder.encode_captions(TEXTS))


@torch.inference_mode()
def test_small_against_a_padded_masked_mean(small):
    encoder, folder = small
    tokens = AutoTokenizer.from_pretrained(folder)(
        [f"query: {text}" for text in TEXTS], padding=True, return_tensors="pt"
    )
    hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    np.testing.assert_allclose(encoder.encode_captions(TEXTS), unit(mean), atol=1e-6)


@torch.inference_mode()
def test_an_instructed_small_one(tmp_path):
    """multilingual-e5-large-instruct: reads both ways, with an instruction."""
    folder = tmp_path / "instruct-models" / "e5-tiny"
    prefixes = {}
    for name in (folder, tmp_path / "e5-tiny-instruct"):
        config = XLMRobertaConfig(
            **tiny_models.TOWER,
            vocab_size=len(tiny_models.bert_tokenizer()),
            max_position_embeddings=34,
        )
        model = tiny_models.drawn(XLMRobertaModel(config), 7)
        tiny_models.save_all(name, model, tiny_models.bert_tokenizer())
        prefixes[name.name] = load_encoder(
            "e5", "cpu", LoadOptions(model=str(name))
        ).info.preprocessing
    assert prefixes == {
        "e5-tiny": "'query: ', at most 32 tokens, mean of the tokens, length 1",
        "e5-tiny-instruct": (f"{INSTRUCTION!r}, at most 32 tokens, mean of the tokens, length 1"),
    }


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=40), min_size=1, max_size=10))
def test_a_caption_is_the_same_in_any_batch(mistral, small, texts):
    for encoder, _ in (mistral, small):
        together = encoder.encode_captions(texts)
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        for row, text in enumerate(texts):
            np.testing.assert_allclose(together[row], encoder.encode_captions([text])[0], atol=1e-6)


def test_cut_captions_are_counted_and_keep_their_end(small, capsys):
    encoder, folder = small
    long = "dogs " * 300
    found = encoder.encode_captions([long, "a cat"])[0]
    assert "1 of 2 captions have more than 128 tokens; " in capsys.readouterr().out
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cut = tokenizer(f"query: {long}", truncation=True, max_length=128, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder).eval()(**cut).last_hidden_state
    np.testing.assert_allclose(found, unit(hidden.mean(dim=1))[0], atol=1e-6)


def test_it_reads_captions_only(mistral):
    encoder, _ = mistral
    assert not encoder.info.item_features and not hasattr(encoder, "encode_items")
    assert encoder.info.caption_width == 32
    assert encoder.encode_captions([]).shape == (0, 32)
    words = encoder.encode_words(["dogs", "snow"])
    assert words.shape == (2, 32) and np.isfinite(words).all()
    static = encoder_info("e5")
    assert static.revision == (
        "intfloat/e5-mistral-7b-instruct@07163b72af1488142a360786df853f237b1a3ca1"
    )


def test_short_numbers_when_asked_for(mistral):
    encoder, folder = mistral
    short = load_encoder("e5", "cpu", LoadOptions(model=str(folder), precision="bfloat16"))
    found = short.encode_captions(TEXTS)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - encoder.encode_captions(TEXTS)).max() < 0.05


def test_other_kinds_are_refused(tmp_path):
    tiny_models.tiny_clip(tmp_path / "clip")
    with pytest.raises(
        ConfigError, match=r"is a model of kind 'clip', not one of bert, mistral, x"
    ):
        load_encoder("e5", "cpu", LoadOptions(model=str(tmp_path / "clip")))
