"""Loading ImageBind's weights, good and bad, and a whole data set, in its package's environment.

`test_imagebind.py` runs this file there, as it runs `imagebind_package.py`.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from tiny_imagebind import tiny_imagebind

from polymatch.data import FeatureStore
from polymatch.encoders import LoadOptions, extract_captions, extract_items, load_encoder
from polymatch.errors import ConfigError, DataError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_imagebind(tmp_path_factory.mktemp("weights"))


def test_what_a_loaded_encoder_says(weights, capfd):
    loaded = load_encoder("imagebind", "cpu", LoadOptions(model=str(weights), precision="float32"))
    printed = capfd.readouterr()
    assert not printed.out
    assert printed.err == (
        "imagebind: code and weights are under CC-BY-NC-SA-4.0: not for commercial use\n"
    )
    info = loaded.info
    assert info.caption_width == 24 and info.sound_rate == 16_000
    assert {feature.shape for feature in info.item_features.values()} == {(24,)}
    assert re.fullmatch(r"tiny\.pth [0-9a-f]{64}", info.revision)
    assert info.sha256 == {"tiny.pth": info.revision.split()[1]}
    unused = {"depth", "thermal", "imu"}
    assert not any(part in name for name in loaded._network.state_dict() for part in unused)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_bytes(b"PK\x03\x04"), r"tiny\.pth: not a whole file of torch\.save"),
        (
            lambda p: torch.save({"a": torch.zeros(2)}, p),
            r"tiny\.pth: not the weights of this network: .*Missing key.* into tiny\.json beside",
        ),
        (
            lambda p: torch.save([1, 2], p),
            r"tiny\.pth: not the weights of this network|tiny\.pth: not a whole file",
        ),
        (
            lambda p: torch.save({"a": io.BytesIO()}, p),
            r"tiny\.pth: (holds _io\.BytesIO|not a whole file)",
        ),
        (
            lambda p: p.with_suffix(".json").write_text(json.dumps({"depth": 3})),
            r"tiny\.json: no keyword arguments of ImageBindModel: .*'depth'",
        ),
        (lambda p: p.with_suffix(".json").write_text("{"), r"tiny\.json: no keyword arguments"),
        (lambda p: p.unlink(), r"tiny\.pth: no weights of ImageBind there; correct `model`"),
    ],
    ids=["broken", "others", "no dict", "a class", "wrong word", "no JSON", "missing"],
)
def test_wrong_weights_are_named(tmp_path, weights, spoil, message):
    for name in ("tiny.pth", "tiny.json"):
        (tmp_path / name).write_bytes((weights.parent / name).read_bytes())
    path = tmp_path / "tiny.pth"
    spoil(path)
    with pytest.raises(DataError, match=message) as caught:
        load_encoder("imagebind", "cpu", LoadOptions(model=str(path)))
    assert "\n" not in str(caught.value)


def test_published_weights_have_to_be_the_published_ones(tmp_path):
    options = LoadOptions(data_root=tmp_path)
    with pytest.raises(
        DataError, match=r"imagebind_huge\.pth: no weights .*set `download` to true"
    ):
        load_encoder("imagebind", "cpu", options)
    (tmp_path / "imagebind").mkdir()
    (tmp_path / "imagebind" / "imagebind_huge.pth").write_bytes(b"abc")
    with pytest.raises(DataError, match=r"imagebind_huge\.pth: 3 bytes, not 4803584173; delete it"):
        load_encoder("imagebind", "cpu", options)


def test_a_precision_that_the_device_has_not(weights):
    options = LoadOptions(model=str(weights), precision="bfloat16")
    with pytest.raises(
        ConfigError, match=r"precision: imagebind computes in float32 on cpu, not in"
    ):
        load_encoder("imagebind", "cpu", options)


def test_a_whole_data_set(tmp_path, weights):
    encoder = load_encoder("imagebind", "cpu", LoadOptions(model=str(weights)))
    counts = {"a": 1, "b": 3, "c": 2}
    for name, n in counts.items():
        frames = [Image.fromarray(RNG.integers(0, 256, (48, 64, 3), np.uint8)) for _ in range(n)]
        frames[0].save(
            tmp_path / f"{name}.webp", save_all=True, append_images=frames[1:], lossless=True
        )
    manifest = pd.DataFrame(
        {
            "item_id": [*counts],
            "path": [f"{n}.webp" for n in counts],
            "n_frames": [*counts.values()],
        }
    )
    about = {"dataset": "three", "command": "test"}
    paths = {name: tmp_path / f"{name}.h5" for name in ("frames", "pooled")}
    assert extract_items(manifest, tmp_path, encoder, paths, about, 4).empty
    pooled, frames = FeatureStore(paths["pooled"]), FeatureStore(paths["frames"])
    assert pooled.ids == [*counts] and pooled.attributes["encoder"] == "imagebind"
    means = [frames.gather_ragged([name])[0].mean(axis=0) for name in counts]
    np.testing.assert_allclose(pooled.read(), means, atol=1e-6)
    captions = pd.DataFrame({"caption_id": ["1", "2", "3"], "text": ["dog", "cat", "dog"]})
    extract_captions(captions, encoder, tmp_path / "captions.h5", about)
    expected = encoder.encode_captions(["dog", "cat", "dog"])
    np.testing.assert_allclose(
        FeatureStore(tmp_path / "captions.h5").read(), expected, rtol=1e-6, atol=2e-6
    )
