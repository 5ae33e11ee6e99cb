"""A pair of networks of transformers that put pictures and texts into one space.

Sources: Radford et al., "CLIP", ICML 2021; Zhai et al., "SigLIP", ICCV 2023; Tschannen et al.,
"SigLIP 2", 2025; Jia et al., "ALIGN", ICML 2021; Yang et al., "Chinese CLIP", 2022; Chuang et al.,
"Meta CLIP 2", 2025. In transformers 5 ``get_image_features`` returns an object; its
``pooler_output`` is the projected embedding, that which the model's own score is made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from polymatch.encoders.base import EncoderInfo, Features, FeatureShape, Frames, LoadOptions
from polymatch.encoders.networks.by_length import by_length
from polymatch.encoders.networks.caption_tokens import CaptionTokens
from polymatch.encoders.networks.checkpoint import Checkpoint
from polymatch.encoders.networks.pictures import Pictures
from polymatch.encoders.networks.precision import computing_dtype
from polymatch.encoders.networks.pretrained import (
    load_image_processor,
    load_network,
    load_tokenizer,
)
from polymatch.encoders.networks.side_by_side import side_by_side
from polymatch.encoders.networks.word_pieces import mean_of_pieces
from polymatch.errors import DataError

REGIONS_A_SIDE = 6


@dataclass(frozen=True)
class TextForm:
    """How a kind of pair was trained to read texts; see :class:`CaptionTokens`.

    ``max_tokens`` is None where the text network has just as many positions.
    """

    max_tokens: int | None = None
    begins: bool = True
    lower: bool = False
    padded: bool = False


KINDS: Mapping[str, TextForm] = {
    "clip": TextForm(),
    "metaclip_2": TextForm(),
    "align": TextForm(max_tokens=64),
    "chinese_clip": TextForm(max_tokens=52),
    "siglip": TextForm(begins=False, lower=True, padded=True),
}

FRAMES = FeatureShape((), True, "embedding of each frame, of length 1")
POOLED = FeatureShape((), False, "mean of the frames")


class Pair:
    """See :class:`polymatch.encoders.base.Encoder`.

    Args:
        info: what the module says without weights.
        kind: one of ``KINDS``.
    """

    def __init__(
        self,
        info: EncoderInfo,
        checkpoint: Checkpoint,
        kind: str,
        device: torch.device,
        options: LoadOptions,
    ) -> None:
        folder = checkpoint.folder
        self._device = device
        self._dtype = computing_dtype(options.precision, device)
        self._pictures = Pictures(load_image_processor(folder), str(folder))
        self._tokenizer = load_tokenizer(folder)
        self._network = load_network(folder, self._dtype, device)
        config = self._network.config
        form = KINDS[kind]
        self._tokens = CaptionTokens(
            self._tokenizer,
            form.max_tokens or config.text_config.max_position_embeddings,
            begins=form.begins,
            lower=form.lower,
            padded=form.padded,
            where=str(folder),
        )
        # a picture at a time on a CPU: as fast as more, and its features are then the same to the
        # last bit whatever else is in the batch
        self._frames_at_once = 1 if device.type == "cpu" else 32
        frames, regions = self._shapes(str(folder))
        self.info = replace(
            info,
            item_features={
                name: replace(info.item_features[name], shape=shape)
                for name, shape in (("frames", frames), ("pooled", frames), ("regions", regions))
            },
            caption_width=frames[0],
            preprocessing=f"{self._pictures.described()}; {self._text_described(form)}",
            licence=checkpoint.licence,
            revision=checkpoint.revision,
            sha256=checkpoint.sha256,
        )
        kind_of_number = str(self._dtype).removeprefix("torch.")
        print(
            f"{info.name}: {self.info.revision}; licence: {self.info.licence}; {kind_of_number} on "
            f"{device.type}"
        )

    def prepare(self, frames: Frames) -> Frames:
        """Resize and crop frames as the model's own processor does; leaves prepared ones."""
        return self._pictures.prepare(frames)

    def encode_items(self, items: Sequence[Frames]) -> dict[str, Features]:
        """``frames`` [all frames, D] of length 1, ``pooled`` [n, D], ``regions`` [n, 36, H]."""
        bounds = np.cumsum([0, *(len(item) for item in items)])
        frames = [frame for item in items for frame in self.prepare(item)]
        middle = {int(a + (b - a) // 2): item for item, (a, b) in enumerate(pairwise(bounds))}
        features = {
            name: np.empty((len(frames) if f.per_frame else len(items), *f.shape), np.float32)
            for name, f in self.info.item_features.items()
            if f.shape is not None
        }

        @torch.inference_mode()
        def encode(part: range) -> None:
            embeddings, maps = self._see(frames[part.start : part.stop])
            features["frames"][part.start : part.stop] = embeddings.cpu().numpy()
            for frame in part:
                if frame in middle:
                    found = _grid(maps[frame - part.start]).cpu().numpy()
                    features["regions"][middle[frame]] = found

        places, step = range(len(frames)), self._frames_at_once
        parts = [places[start : start + step] for start in range(0, len(frames), step)]
        for _ in side_by_side(encode, parts, self._device):
            pass
        for item, (a, b) in enumerate(pairwise(bounds)):
            features["pooled"][item] = features["frames"][a:b].mean(axis=0)
        return features

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Embeddings of texts in the pair's space, of length 1: [len(texts), D]."""
        width = self.info.caption_width or 0
        return by_length(self._tokens(texts), self._read, width, self._device)

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text, and how many of them are read."""
        return self._tokens.count(text)

    def encode_words(self, words: Sequence[str]) -> Features:
        """Mean input embedding of each word's pieces; NaN for signs the tokeniser lacks."""
        table = self._network.text_model.get_input_embeddings().weight
        return mean_of_pieces(self._tokenizer, table, words)

    def _see(self, frames: Iterable[Frames]) -> tuple[Tensor, Tensor]:
        """Embeddings [n, D] of length 1, and last maps, of prepared frames."""
        pixels = self._pictures.tensor(frames, self._device).to(self._dtype)
        seen = self._network.get_image_features(pixel_values=pixels)
        return F.normalize(seen.pooler_output.float(), dim=-1), seen.last_hidden_state.float()

    def _read(self, ids: Tensor) -> Tensor:
        """Embeddings [n, D] of length 1, of texts [n, L]."""
        # no mask: every token is the text's own, or is padding that SigLIP was trained to read
        found = self._network.get_text_features(input_ids=ids).pooler_output
        return F.normalize(found.float(), dim=-1)

    @torch.inference_mode()
    def _shapes(self, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of ``frames`` and ``regions``, by one grey picture; a text must have the first."""
        grey: Frames = np.full((1, 32, 32, 3), 128, dtype=np.uint8)
        try:
            embedding, maps = self._see(self.prepare(grey))
            text = self._read(torch.tensor(self._tokens(["a"]), device=self._device))
        except (ValueError, RuntimeError, IndexError) as error:
            raise DataError(
                f"{where}: the networks do not take what their processor or tokeniser gives "
                f"({' '.join(str(error).split())[:120]})"
            ) from error
        if embedding.shape != text.shape:
            raise DataError(
                f"{where}: pictures have {embedding.shape[1]} numbers and texts {text.shape[1]}, "
                "so they are in no common space"
            )
        return tuple(embedding.shape[1:]), tuple(_grid(maps[0]).shape)

    def _text_described(self, form: TextForm) -> str:
        parts = ["text in small letters"] if form.lower else ["text"]
        parts.append(
            f"{'padded to' if form.padded else 'at most'} {self._tokens.max_tokens} tokens"
        )
        return ", ".join([*parts, "length 1"])


def regions_of(patches: str) -> FeatureShape:
    """The feature ``regions``, before its width is known."""
    about = f"{REGIONS_A_SIDE} x {REGIONS_A_SIDE} grid of the middle frame's {patches}, by rows"
    return FeatureShape((), False, about)


def _grid(last: Tensor) -> Tensor:
    """A network's last patches [T, H], or its last map [H, h, w], averaged to [36, H].

    Of patches only the square at the end is taken; before it may stand a token of the whole.
    """
    if last.dim() == 2:
        side = math.isqrt(len(last))
        last = last[len(last) - side**2 :].T.reshape(-1, side, side)
    return F.adaptive_avg_pool2d(last, REGIONS_A_SIDE).flatten(1).T
