"""ImageBind against its own package: run in the environment of `make imagebind-env`.

`test_imagebind.py` runs this file there. Twins are the package's own loaders of files and its own
network, an input at a time.
"""

from __future__ import annotations

import sys
import warnings
import wave
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from tiny_imagebind import SHAPE, tiny_imagebind

from polymatch.encoders import LoadOptions, load_encoder
from polymatch.errors import DataError

RNG = np.random.default_rng(0)
RATE = 16_000
SIZES = [(224, 224), (240, 320), (321, 243), (100, 37), (224, 301), (500, 224)]
LONG = "a man in a red shirt talks about the weather and then " * 12
TEXTS = [
    "a dog barks",
    "A  Man's caf\u00e9 &amp; bar \U0001f415",
    "",
    "x",
    "rain, rain; rain!",
    LONG,
]
SECONDS = [10.0, 6.0, 4.3, 2.0, 1.2, 0.03]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_imagebind(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def encoder(weights):
    return load_encoder("imagebind", "cpu", LoadOptions(model=str(weights)))


@pytest.fixture(scope="module")
def network(weights):
    """The package's own network, loaded as the package does."""
    model = import_module("imagebind.models.imagebind_model").ImageBindModel(**SHAPE)
    model.load_state_dict(torch.load(weights))
    return model.eval()


@pytest.fixture(scope="module")
def loaders():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("imagebind.data")


@torch.no_grad()
def forward(network, modality, inputs):
    """One input at a time."""
    return np.concatenate([network({modality: one[None]})[modality].numpy() for one in inputs])


def picture(height, width):
    """Smooth colours and some noise, so that interpolations differ."""
    grid = np.add.outer(np.arange(height), 2 * np.arange(width))[..., None] // [2, 3, 5]
    return (grid % 256 // 2 + RNG.integers(0, 128, (height, width, 3))).astype(np.uint8)


def sound(seconds):
    """A chirp that is not centred: [samples]."""
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.05 + 0.4 * np.sin(600 * (1 + t) * t) + 0.02 * RNG.normal(size=len(t))).astype("f4")


def write_wav(path, samples):
    """16-bit PCM; what was written, as floats."""
    whole = np.round(samples * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(whole.tobytes())
    return (whole / np.float32(32768)).astype(np.float32)


def test_pictures_as_the_package_reads_them(tmp_path, encoder, network, loaders):
    frames = [picture(*size) for size in SIZES]
    paths = [tmp_path / f"{number}.png" for number in range(len(frames))]
    for frame, path in zip(frames, paths, strict=True):
        Image.fromarray(frame).save(path)
    expected = loaders.load_and_transform_vision_data([str(path) for path in paths], "cpu")
    prepared = np.stack([encoder.prepare(frame[None])[0] for frame in frames])
    assert torch.equal(encoder._pictures(prepared), expected)
    features = encoder.encode_items([frame[None] for frame in frames])
    np.testing.assert_allclose(features["frames"], forward(network, "vision", expected), atol=1e-6)
    np.testing.assert_allclose(features["pooled"], features["frames"], atol=1e-6)


def test_squashed_pictures_as_the_published_evaluation_reads_them(weights):
    transforms = import_module("torchvision.transforms")
    resize = transforms.Resize((224, 224))
    squash = load_encoder("imagebind_squashed", "cpu", LoadOptions(model=str(weights)))
    for size in SIZES:
        frame = picture(*size)
        np.testing.assert_array_equal(
            squash.prepare(frame[None])[0], np.asarray(resize(Image.fromarray(frame)))
        )
    assert squash.info.name == "imagebind_squashed"
    assert "squashed" in squash.info.preprocessing and "centre" not in squash.info.preprocessing


def test_a_clip_is_the_mean_of_its_frames(encoder, network):
    clips = [np.stack([picture(60, 80) for _ in range(n)]) for n in (3, 1, 16)]
    features = encoder.encode_items(clips)
    assert features["frames"].shape == (20, 24) and features["frames"].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features["frames"], axis=1), 1, atol=1e-6)
    alone = [
        encoder.encode_items([clip[i : i + 1]])["frames"][0]
        for clip in clips
        for i in range(len(clip))
    ]
    np.testing.assert_allclose(features["frames"], alone, atol=1e-6)
    means = [np.mean(alone[:3], axis=0), alone[3], np.mean(alone[4:], axis=0)]
    np.testing.assert_allclose(features["pooled"], means, atol=1e-6)


def test_texts_as_the_package_reads_them(encoder, network, loaders):
    short = TEXTS[:-1]
    tokens = loaders.load_and_transform_text(short, "cpu")
    assert torch.equal(encoder._texts([encoder._tokens(text) for text in short]), tokens)
    expected = forward(network, "text", tokens)
    np.testing.assert_allclose(encoder.encode_captions(short), expected, rtol=1e-6, atol=2e-6)


def test_a_long_text_keeps_its_end(encoder, network, capsys):
    start, end = 49406, 49407
    tokens = encoder._texts([encoder._tokens(LONG)])
    words = encoder._tokeniser.encode(LONG)
    assert len(words) > 75 and tokens.tolist() == [[start, *words[:75], end]]
    features = encoder.encode_captions(["a dog", LONG, LONG.replace("a man", "a cat", 1)])
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "imagebind: 2 of 3 texts have more than 77 tokens and are cut, e.g. 'a man in" in printed
    np.testing.assert_allclose(features[1:2], forward(network, "text", tokens), atol=2e-6)
    # read at the end, a text's feature knows its first words; 75 words more are not read
    assert np.abs(features[1] - features[2]).max() > 1e-3
    np.testing.assert_array_equal(
        encoder.encode_captions([LONG]), encoder.encode_captions([LONG + " at last"])
    )


def test_75_words_are_not_cut(encoder, capsys):
    encoder.encode_captions(["x " * 75])
    assert not capsys.readouterr().err
    encoder.encode_captions(["x " * 76])
    assert "1 of 1 texts have more than 77 tokens" in capsys.readouterr().err


def test_sounds_as_the_package_reads_them(tmp_path, encoder, network, loaders):
    # release 0.1.5 of pytorchvideo takes clips from the first two thirds of a sound alone: of one
    # that goes on for as long again as half of what is over two seconds, they are ours
    sampling = import_module("pytorchvideo.data.clip_sampling")
    sampler = sampling.ConstantClipsPerVideoSampler(clip_duration=2, clips_per_video=3)
    goes_on = 1.5 if loaders.get_clip_timepoints(sampler, 5.0)[-1][1] < 5 else 1.0
    paths = [tmp_path / f"{seconds}.wav" for seconds in SECONDS]
    waves = []
    for path, seconds in zip(paths, SECONDS, strict=True):
        whole = write_wav(path, sound(seconds + (goes_on - 1) * max(seconds - 2, 0)))
        waves.append(whole[: int(seconds * RATE)])
    expected = loaders.load_and_transform_audio_data([str(path) for path in paths], "cpu")
    before = [one.copy() for one in waves]
    spectrograms = encoder._spectrograms(waves)
    assert spectrograms.shape == (6, 3, 1, 128, 204)
    np.testing.assert_allclose(spectrograms, expected, atol=1e-6)
    features = encoder.encode_sounds(waves)
    assert features.shape == (6, 24) and features.dtype == np.float32
    np.testing.assert_allclose(features, forward(network, "audio", expected), rtol=1e-6, atol=2e-6)
    assert all(map(np.array_equal, waves, before))


def test_silence_and_sounds_shorter_than_a_window(encoder):
    silence = [np.zeros(n, dtype=np.float32) for n in (1, 399, 400, 32_000, 160_000)]
    features = encoder.encode_sounds(silence)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features[0], features[2], atol=2e-6)
    click = np.full(100, 0.5, dtype=np.float32)
    lengthened = np.concatenate([click, np.zeros(300, dtype=np.float32)])
    pair = encoder.encode_sounds([click, lengthened])
    np.testing.assert_allclose(pair[0], pair[1], atol=2e-6)
    with pytest.raises(DataError, match=r"sound 2: has no samples; leave it out as one without so"):
        encoder.encode_sounds([click, np.empty(0, dtype=np.float32)])


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_depends_on_the_batch_or_the_threads(encoder, threads):
    clips = [np.stack([picture(40, 50)] * n) for n in (1, 2, 5, 1, 3)]
    texts = [f"{text} {n}" for n in range(8) for text in TEXTS]
    sounds = [sound(0.4 * n) for n in range(1, 12)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = (
            encoder.encode_items(clips)["pooled"],
            encoder.encode_captions(texts),
            encoder.encode_sounds(sounds),
        )
        again = encoder.encode_captions(texts)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(together[1], again)
    for one in (4, 0, 3):
        alone = encoder.encode_items([clips[one]])["pooled"][0]
        np.testing.assert_allclose(together[0][one], alone, atol=1e-6)
        alone = encoder.encode_captions([texts[one]])[0]
        np.testing.assert_allclose(together[1][one], alone, rtol=1e-6, atol=2e-6)
        alone = encoder.encode_sounds([sounds[one]])[0]
        np.testing.assert_allclose(together[2][one], alone, rtol=1e-6, atol=2e-6)


def test_nothing_gives_empty_features(encoder):
    assert {n: f.shape for n, f in encoder.encode_items([]).items()} == {
        "frames": (0, 24),
        "pooled": (0, 24),
    }
    assert encoder.encode_captions([]).shape == encoder.encode_sounds([]).shape == (0, 24)
