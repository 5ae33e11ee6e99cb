"""ImageBind: pictures, texts and sounds in one space, by the original package and its weights.

Source: Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", CVPR 2023, and its code
(facebookresearch/ImageBind), which needs an environment of its own, ``envs/imagebind.yaml``. Each
frame is a picture; ``pooled`` is the mean of its embeddings, as in the published evaluation on
MSR-VTT. Features are what the network gives: of length 1 for a frame, not for texts and sounds.

Kept from the package: its tokeniser, spectrogram and network; three clips of two seconds a sound,
the mean of their embeddings. A sound of at most two seconds is taken whole, three times, and its
spectrogram is filled up with zeros. A clip's mean is taken out of samples that the next clip may
share, which matters only where a sound is shorter than six seconds and not centred.

Deviations from the published evaluation:

- the short side is resized and the centre cut out, as ImageBind was trained and as its package
  does; there every frame is squashed (:mod:`polymatch.encoders.imagebind_squashed`);
- a text of more than 77 tokens keeps its end token, whichever version of the package is there: the
  version on the package index loses it, and reads the text's feature at a random word;
- a sound's clips reach to its end, whichever version of pytorchvideo is there;
- a sound shorter than one window (25 ms), which stops the package, is lengthened with silence.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymatch.encoders.base import EncoderInfo, Features, FeatureShape, Frames, LoadOptions
from polymatch.encoders.networks.imagebind_weights import (
    WEIGHTS,
    find_weights,
    package,
    read_network,
)
from polymatch.encoders.networks.side_by_side import side_by_side
from polymatch.encoders.networks.squares import centre_square
from polymatch.errors import ConfigError, DataError
from polymatch.settings.encoder import Precision

SIDE = 224
TOKENS = 77
RATE = 16_000
_WINDOW = 400  # samples: 25 ms, the shortest sound that has a spectrum
_REST = (
    "RGB, CLIP's mean and deviation; byte pairs, lower case, at most 77 tokens; 3 x 2 s of 16 kHz"
)

Square = Callable[[Frames, int], Frames]

INFO = EncoderInfo(
    name="imagebind",
    item_features={
        "frames": FeatureShape((), True, "embedding of each frame, of length 1"),
        "pooled": FeatureShape((), False, "mean of the frames"),
        "audio": FeatureShape((), False, "mean of the embeddings of 3 clips of 2 s"),
    },
    caption_width=None,
    joint_space=True,
    preprocessing=f"short side bicubic to 224, centre 224 x 224; {_REST}",
    licence="CC-BY-NC-SA-4.0",
    citation="Girdhar et al., ImageBind: One Embedding Space To Bind Them All, CVPR 2023",
    revision="imagebind_huge.pth",
    sha256={"imagebind_huge.pth": WEIGHTS.sha256 or ""},
    environment="imagebind",
    sound_rate=RATE,
    url="https://github.com/facebookresearch/ImageBind",
)


class ImageBind:
    """See :class:`polymatch.encoders.base.Encoder` and ``SoundEncoder``."""

    def __init__(
        self,
        network: Any,
        device: torch.device,
        info: EncoderInfo,
        precision: Precision,
        square: Square,
    ) -> None:
        self._network = network.to(device)
        self._device = device
        self._numbers = _numbers(precision, device)
        self._square = square
        preprocessing = package("imagebind.models.multimodal_preprocessors")
        words = files("imagebind") / "bpe" / "bpe_simple_vocab_16e6.txt.gz"
        self._tokeniser = preprocessing.SimpleTokenizer(bpe_path=str(words))
        self._sounds = package("imagebind.data")
        mean, deviation = _PICTURE_MOMENTS
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._deviation = torch.tensor(deviation, device=device)[:, None, None]
        self.width = int(network.modality_heads["vision"][-1].out_features)
        features = {n: replace(f, shape=(self.width,)) for n, f in info.item_features.items()}
        self.info = replace(info, item_features=features, caption_width=self.width)

    def prepare(self, frames: Frames) -> Frames:
        """A square of each frame: [n, 224, 224, 3]; leaves prepared ones."""
        if frames.shape[1:3] == (SIDE, SIDE):
            return frames
        return np.stack([self._square(frame, SIDE) for frame in frames])

    def encode_items(self, items: Sequence[Frames]) -> dict[str, Features]:
        """``frames`` [all frames, D] and ``pooled`` [n, D]."""
        frames = [frame for item in items for frame in self.prepare(item)]
        per_frame = self._encode("vision", frames, self._pictures, _AT_ONCE["vision"])
        bounds = np.cumsum([0, *(len(item) for item in items)])
        pooled = [per_frame[a:b].mean(axis=0) for a, b in pairwise(bounds)]
        return {
            "frames": per_frame,
            "pooled": np.array(pooled, dtype=np.float32).reshape(-1, self.width),
        }

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Embeddings of texts, times the network's learnt scale: [len(texts), D]."""
        tokens = [self._tokens(text) for text in texts]
        cut = [text for text, ids in zip(texts, tokens, strict=True) if len(ids) > TOKENS]
        if cut:
            count = f"{len(cut)} of {len(texts)} texts have more than {TOKENS} tokens"
            _say(self.info, f"{count} and are cut, e.g. {cut[0][:60]!r}")
        return self._encode("text", tokens, self._texts, _AT_ONCE["text"])

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text, and how many of them are read."""
        return len(self._tokens(text)), TOKENS

    def encode_sounds(self, waves: Sequence[Features]) -> Features:
        """Mean embedding of three clips of each sound, [samples] at 16 kHz: [len(waves), D].

        Silence is a sound like any other.

        Raises:
            DataError: a sound has no samples; an item without sound has no feature.
        """
        for number, wave in enumerate(waves, 1):
            if not len(wave):
                raise DataError(
                    f"sound {number}: has no samples; leave it out as one without sound"
                )
        return self._encode("audio", waves, self._spectrograms, _AT_ONCE["audio"])

    def _encode(
        self,
        modality: str,
        inputs: Sequence[Any],
        as_tensor: Callable[[Sequence[Any]], Tensor],
        at_once: Mapping[str, int],
    ) -> Features:
        step = at_once["cpu" if self._device.type == "cpu" else "other"]

        @torch.inference_mode()
        def encode(part: Sequence[Any]) -> Features:
            tensor = as_tensor(part).to(self._device)
            with torch.autocast("cuda", self._numbers) if self._numbers else nullcontext():
                embeddings: Tensor = self._network({modality: tensor})[modality]
            return embeddings.float().cpu().numpy()

        parts = [inputs[start : start + step] for start in range(0, len(inputs), step)]
        done = list(side_by_side(encode, parts, self._device))
        return np.concatenate(done) if done else np.empty((0, self.width), dtype=np.float32)

    def _pictures(self, frames: Sequence[Frames]) -> Tensor:
        pictures = torch.from_numpy(np.stack(frames)).to(self._device).permute(0, 3, 1, 2)
        return (pictures.float() / 255 - self._mean) / self._deviation

    def _tokens(self, text: str) -> list[int]:
        known = self._tokeniser.encoder
        return [known["<|startoftext|>"], *self._tokeniser.encode(text), known["<|endoftext|>"]]

    def _texts(self, tokens: Sequence[list[int]]) -> Tensor:
        padded = torch.zeros(len(tokens), TOKENS, dtype=torch.long)
        for row, ids in enumerate(tokens):
            # the feature of a text is read at its end token, so that has to stay
            kept = ids if len(ids) <= TOKENS else [*ids[: TOKENS - 1], ids[-1]]
            padded[row, : len(kept)] = torch.tensor(kept)
        return padded

    def _spectrograms(self, waves: Sequence[Features]) -> Tensor:
        """[n, clips, 1, mel bins, frames], by the package's own functions and numbers."""
        mean, deviation = _SOUND_MOMENTS
        sounds = []
        for wave in waves:
            # a copy, since the package writes into it
            samples = torch.zeros(1, max(len(wave), _WINDOW))
            samples[0, : len(wave)] = torch.from_numpy(np.ascontiguousarray(wave))
            clips = [
                self._sounds.waveform2melspec(samples[:, clip], RATE, 128, 204)
                for clip in clips_of(samples.shape[1])
            ]
            sounds.append((torch.stack(clips) - mean) / deviation)
        return torch.stack(sounds)


def clips_of(samples: int) -> list[slice]:
    """Three clips of two seconds, the first at the beginning and the last at the end.

    The numbers are pytorchvideo's, whose own sampler is not asked: release 0.1.5 leaves out the
    last third, which the commits that ImageBind names do not.

    >>> clips_of(160_000)
    [slice(0, 32000, None), slice(64000, 96000, None), slice(128000, 160000, None)]
    >>> clips_of(16_000)[2]
    slice(0, 32000, None)
    """
    last = Fraction(max(samples / RATE - 2, 0))
    starts = [last * part / 2 for part in range(3)]
    return [slice(int(start * RATE), int((start + 2) * RATE)) for start in starts]


def load(device: torch.device, options: LoadOptions) -> ImageBind:
    """Load the network; see :func:`load_imagebind`."""
    return load_imagebind(device, options, INFO, centre_square)


def load_imagebind(
    device: torch.device, options: LoadOptions, info: EncoderInfo, square: Square
) -> ImageBind:
    """Load the network and its weights, and say what they may be used for.

    Args:
        info: what is known of the encoder before its weights are.
        square: makes a square [side, side, 3] of a frame [H, W, 3].

    Raises:
        ModuleNotFoundError: the package is not installed.
        ConfigError: a ``revision`` is given, or a precision that the device has not.
        DataError: the weights are missing, broken, or not the published ones.
    """
    _numbers(options.precision, device)
    package("imagebind")
    path, digest = find_weights(options)
    network = read_network(path)
    _say(info, f"code and weights are under {info.licence}: not for commercial use")
    info = replace(info, revision=f"{path.name} {digest}", sha256={path.name: digest})
    return ImageBind(network, device, info, options.precision, square)


# as in the package's own pipeline
_PICTURE_MOMENTS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_SOUND_MOMENTS = (-4.268, 9.138)

# on a CPU one batch is one thread's
_AT_ONCE = {
    "vision": {"cpu": 4, "other": 64},
    "text": {"cpu": 16, "other": 256},
    "audio": {"cpu": 4, "other": 64},
}


def _say(info: EncoderInfo, what: str) -> None:
    print(f"{info.name}: {what}", file=sys.stderr, flush=True)


def _numbers(precision: Precision, device: torch.device) -> torch.dtype | None:
    """What the network computes with where that is not float32."""
    if device.type == "cuda" and precision != "float32":
        if precision == "auto":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float16 if precision == "float16" else torch.bfloat16
    if precision in ("float16", "bfloat16"):
        raise ConfigError(
            f"encoder.precision: imagebind computes in float32 on {device.type}, not in "
            f"{precision}; set it to 'auto'"
        )
    return None
