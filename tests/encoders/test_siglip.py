"""SigLIP 2 of the real class: texts and pictures as in its training, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer, Siglip2Config, Siglip2Model

from polymatch.encoders import LoadOptions, encoder_info, load_encoder
from polymatch.encoders.networks.checkpoint import Pinned, find_checkpoint
from polymatch.encoders.siglip import PINNED
from polymatch.errors import ConfigError, DataError

from . import tiny_models, tiny_pairs

TEXTS = ["A Man riding a HORSE", "a man riding a horse", "dogs, and 3 cats!"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.tiny_siglip(tmp_path_factory.mktemp("siglip") / "siglip2")


@pytest.fixture(scope="module")
def siglip(folder):
    return load_encoder("siglip", "cpu", LoadOptions(model=str(folder)))


@torch.inference_mode()
def by_hand(folder, text, long=64):
    """Small letters, pieces, end, padding to 64, every position seen; the last one pooled."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text.lower()))[: long - 1]
    ids = torch.tensor([pieces + [1] + [0] * (long - 1 - len(pieces))])
    model = AutoModel.from_pretrained(folder).eval()
    embedding = model.text_model(input_ids=ids).pooler_output[0].numpy()
    return embedding / np.linalg.norm(embedding)


def test_texts_are_lowered_and_padded(siglip, folder):
    found = siglip.encode_captions(TEXTS)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(found[row], by_hand(folder, text), atol=1e-6)
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_long_texts_keep_their_end(siglip, folder, capsys):
    long = "people dance on a stage " * 30
    found = siglip.encode_captions([long, "a cat"])[0]
    np.testing.assert_allclose(found, by_hand(folder, long), atol=1e-6)
    assert "1 of 2 captions have more than 64 tokens" in capsys.readouterr().out


def test_pictures_are_squeezed_to_the_square(siglip):
    """Bilinear, the whole picture, as SigLIP 2 was converted with; no crop."""
    picture = np.random.default_rng(1).integers(0, 256, (70, 130, 3), dtype=np.uint8)
    squeezed = Image.fromarray(picture).resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(siglip.prepare(picture[None])[0], np.asarray(squeezed))


def test_the_default_is_pinned():
    info = encoder_info("siglip")
    name, _, commit = info.revision.partition("@")
    assert PINNED[name].revision == commit and info.environment == "transformers"
    assert all(len(p.revision) == 40 and p.licence for p in PINNED.values())


def test_a_pinned_model_takes_another_revision(tmp_path, monkeypatch):
    """And what is known of the pinned one's size is not said of it."""
    pinned = {"polymatch/none": Pinned("a" * 40, "7 GB", "MIT")}
    for revision, said in (
        (None, f"revision {'a' * 40}, 7 GB"),
        ("b" * 40, f"revision {'b' * 40}"),
    ):
        options = LoadOptions(model="polymatch/none", revision=revision)
        with pytest.raises(DataError, match=rf"polymatch/none \({said}\) are not on this machine"):
            find_checkpoint("siglip", options, "polymatch/none", pinned)


def test_other_kinds_are_refused(tmp_path):
    tower = {**tiny_models.TOWER, "num_patches": 16, "patch_size": 4}
    config = Siglip2Config(text_config={**tiny_models.TOWER, "vocab_size": 9}, vision_config=tower)
    Siglip2Model(config).save_pretrained(tmp_path / "naflex")
    with pytest.raises(
        ConfigError, match=r"encoder siglip: .*naflex is a NaFlex model, whose pictures have no fi"
    ):
        load_encoder("siglip", "cpu", LoadOptions(model=str(tmp_path / "naflex")))
    tiny_models.tiny_clip(tmp_path / "clip")
    with pytest.raises(
        ConfigError, match=r"encoder siglip: .*clip is a model of kind 'clip', not one of siglip$"
    ):
        load_encoder("siglip", "cpu", LoadOptions(model=str(tmp_path / "clip")))


def test_the_first_siglip_loads_too(tmp_path):
    """Its tokeniser takes punctuation out; its 16 positions are those of its network."""
    encoder = load_encoder(
        "siglip", "cpu", LoadOptions(model=str(tiny_pairs.tiny_siglip1(tmp_path / "one")))
    )
    found = encoder.encode_captions(["two dogs play!", "Two dogs, play"])
    np.testing.assert_array_equal(found[0], found[1])
    assert "padded to 16 tokens" in encoder.info.preprocessing


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_short_numbers_when_asked_for(folder, siglip, precision, capsys):
    """Features stay float32, of length 1, and near those of whole numbers; regions too."""
    short = load_encoder("siglip", "cpu", LoadOptions(model=str(folder), precision=precision))
    assert f"; {precision} on cpu\n" in capsys.readouterr().out
    items = [np.random.default_rng(2).integers(0, 256, (2, 60, 60, 3), dtype=np.uint8)]
    found, whole = short.encode_items(items), siglip.encode_items(items)
    for name, array in found.items():
        assert array.dtype == np.float32
        assert 0 < np.abs(array - whole[name]).max() < 0.15
    np.testing.assert_allclose(np.linalg.norm(found["frames"], axis=1), 1, atol=1e-5)
    texts = short.encode_captions(TEXTS)
    assert 0 < np.abs(texts - siglip.encode_captions(TEXTS)).max() < 0.05
