"""Pairs like CLIP, of the real classes, against the models' own scores, one item at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from polymatch.encoders import LoadOptions, encoder_info, load_encoder
from polymatch.errors import ConfigError

from . import tiny_models, tiny_pairs

KINDS = {
    "clip": tiny_models.tiny_clip,
    "siglip": tiny_models.tiny_siglip,
    "siglip1": tiny_pairs.tiny_siglip1,
    "align": tiny_pairs.tiny_align,
    "chinese_clip": tiny_pairs.tiny_chinese_clip,
    "metaclip2": tiny_pairs.tiny_metaclip2,
}
TEXTS = [
    "A man is riding a horse, and laughs!",
    "two dogs",
    "Two DOGS play with a red ball in the snow",
    "a cat",
    "people dance on a stage " * 20,
]
RNG = np.random.default_rng(5)
ITEMS = [
    RNG.integers(0, 256, (frames, *size, 3), dtype=np.uint8)
    for frames, size in ((1, (60, 90)), (4, (97, 51)), (3, (48, 48)), (2, (20, 31)))
]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """The encoder, and the folder that it came from."""
    folder = KINDS[request.param](tmp_path_factory.mktemp("pairs") / request.param)
    return load_encoder("clip", "cpu", LoadOptions(model=str(folder))), folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tiny_models.tiny_clip(tmp_path_factory.mktemp("clip") / "clip")
    return load_encoder("clip", "cpu", LoadOptions(model=str(folder)))


@torch.inference_mode()
def own_embeddings(folder, frame, text):
    """What the whole model's forward call scores: of one picture and of one text."""
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    siglip = model.config.model_type == "siglip"
    length = {"align": 64, "chinese_clip": 52}.get(
        model.config.model_type, model.config.text_config.max_position_embeddings
    )
    tokens = tokenizer(
        text.lower() if siglip else text,
        padding="max_length" if siglip else False,
        truncation=True,
        max_length=length,
        return_tensors="pt",
    )
    pixels = processor(images=Image.fromarray(frame), return_tensors="pt")
    output = model(**tokens, **pixels)
    last = output.vision_model_output.last_hidden_state[0].numpy()
    return output.image_embeds[0].numpy(), output.text_embeds[0].numpy(), last


def slow_grid(last):
    """Means over 6 x 6 overlapping bins of the patches, or of a map, one by one."""
    if last.ndim == 2:
        side = int(len(last) ** 0.5)
        last = last[len(last) - side * side :].reshape(side, side, -1).transpose(2, 0, 1)
    side = last.shape[1]
    bins = [(i * side // 6, -(-(i + 1) * side // 6)) for i in range(6)]
    cells = [last[:, a:b, c:d].mean(axis=(1, 2)) for a, b in bins for c, d in bins]
    return np.stack(cells)


def test_features_are_what_the_model_scores(pair):
    encoder, folder = pair
    features, captions = encoder.encode_items(ITEMS), encoder.encode_captions(TEXTS)
    frames = [frame for item in ITEMS for frame in item]
    middle, starts = {0, 1 + 2, 5 + 1, 8 + 1}, np.cumsum([0, 1, 4, 3, 2])
    regions = []
    for place, frame in enumerate(frames):
        seen, read, last = own_embeddings(folder, frame, TEXTS[place % len(TEXTS)])
        seen, read = (x / np.linalg.norm(x) for x in (seen, read))
        np.testing.assert_allclose(features["frames"][place], seen, atol=1e-6)
        np.testing.assert_allclose(captions[place % len(TEXTS)], read, atol=1e-6)
        if place in middle:
            regions.append(slow_grid(last))
    np.testing.assert_allclose(features["regions"], regions, rtol=1e-5, atol=1e-5)
    for item, (a, b) in enumerate(pairwise(starts)):
        pooled = features["frames"][a:b].mean(axis=0)
        np.testing.assert_allclose(features["pooled"][item], pooled, atol=1e-6)


def test_info_says_what_is_given(pair):
    encoder, folder = pair
    features = encoder.encode_items(ITEMS)
    for name, array in features.items():
        feature = encoder.info.item_features[name]
        assert array.shape == (10 if feature.per_frame else 4, *feature.shape)
        assert array.dtype == np.float32 and np.isfinite(array).all()
    captions = encoder.encode_captions(TEXTS)
    assert captions.shape == (5, encoder.info.caption_width) == (5, *features["frames"].shape[1:])
    assert captions.dtype == np.float32
    assert encoder.info.joint_space and encoder.info.revision.startswith(f"{folder.name}, SHA-256 ")
    static = encoder_info("clip")
    assert static.item_features.keys() == features.keys() and static.environment == "transformers"


def test_words_are_means_of_their_pieces(pair):
    encoder, folder = pair
    tokenizer = AutoTokenizer.from_pretrained(folder)
    table = AutoModel.from_pretrained(folder).text_model.get_input_embeddings().weight.detach()
    words = encoder.encode_words(["horse", "snow"])
    for row, word in enumerate(["horse", "snow"]):
        pieces = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))
        np.testing.assert_allclose(words[row], table[pieces].mean(dim=0), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.booleans())
def test_an_item_is_the_same_in_any_batch(clip, order, ahead):
    given_items = [ITEMS[i] for i in order]
    together = clip.encode_items([clip.prepare(i) for i in given_items] if ahead else given_items)
    starts = np.cumsum([0, *(len(item) for item in given_items)])
    for place, i in enumerate(order):
        alone = clip.encode_items([ITEMS[i]])
        rows = slice(starts[place], starts[place + 1])
        np.testing.assert_array_equal(together["frames"][rows], alone["frames"])
        np.testing.assert_array_equal(together["pooled"][place], alone["pooled"][0])
        np.testing.assert_array_equal(together["regions"][place], alone["regions"][0])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), min_size=1, max_size=12))
def test_a_caption_is_the_same_in_any_batch(clip, texts):
    together = clip.encode_captions(texts)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(together[row], clip.encode_captions([text])[0], atol=1e-6)


def test_the_same_to_the_last_bit_whatever_the_threads(clip):
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            runs.append((clip.encode_items(ITEMS * 3), clip.encode_captions(TEXTS * 3)))
    finally:
        torch.set_num_threads(before)
    for features, captions in runs[1:]:
        assert all(np.array_equal(runs[0][0][name], features[name]) for name in features)
        assert np.array_equal(runs[0][1], captions)


def test_nothing_gives_nothing(clip):
    shapes = {name: array.shape for name, array in clip.encode_items([]).items()}
    assert shapes == {"frames": (0, 24), "pooled": (0, 24), "regions": (0, 36, 32)}
    assert clip.encode_captions([]).shape == (0, 24)


def test_cut_captions_are_counted(clip, capsys):
    clip.encode_captions(TEXTS)
    said = "1 of 5 captions have more than 77 tokens; the network does not see the end of them\n"
    assert capsys.readouterr().out == said
    clip.encode_captions(TEXTS[:4])
    assert capsys.readouterr().out == ""


def test_models_that_are_no_pair(tmp_path):
    tiny_models.tiny_small_e5(tmp_path / "bert")
    with pytest.raises(
        ConfigError,
        match=r"encoder clip: .*bert is a model of kind 'bert', not one of align, chinese_clip, "
        r"clip, metaclip_2, siglip$",
    ):
        load_encoder("clip", "cpu", LoadOptions(model=str(tmp_path / "bert")))
