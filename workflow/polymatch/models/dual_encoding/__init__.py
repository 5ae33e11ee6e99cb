"""The dual-encoding family: frames and words at three levels, into a latent and a concept space.

Dong et al., "Dual Encoding for Video Retrieval by Text", TPAMI 2021; "Dual Encoding++: Optimization
of Text-Video Retrieval via Fine-tuning and Pruning", ICCE-Asia 2023, whose code's sizes and order
of operations these are. Similarities: ``latent``, the cosine; ``concept``, the Jaccard similarity of
tag probabilities; ``hybrid``, alpha times the one plus 1 - alpha times the other, each scaled to 0
to 1 over the whole matrix that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymatch.data.frames import Frames
from polymatch.errors import ConfigError
from polymatch.models.dual_encoding.encoders import FrameEncoder, Projection, WordEncoder
from polymatch.models.dual_encoding.inputs import CaptionWords, ItemFrames, parts_by_length
from polymatch.models.dual_encoding.similarity import fused_similarity, jaccard_similarity
from polymatch.models.model import RetrievalModel
from polymatch.settings.dual_encoding import DualEncodingModelSettings

__all__ = ["Encoded", "Model", "jaccard_similarity"]

# Numbers of frames, or of embedded words, that are encoded at once where nothing is learnt.
_NUMBERS = 1 << 24


class Encoded(NamedTuple):
    """N items or captions: ``latent`` [N, E] of length 1, ``concept`` [N, C] and its ``logits``."""

    latent: Tensor
    concept: Tensor
    logits: Tensor


class Model(RetrievalModel):
    """Both encoders, and a projection of each into each space.

    Args:
        item_width: F of frames.
        caption_width: number of words and number of tags, (V, C).
    """

    settings: DualEncodingModelSettings

    def __init__(
        self,
        settings: DualEncodingModelSettings,
        item_width: int,
        caption_width: Sequence[int],
    ) -> None:
        words, tags = caption_width
        super().__init__(settings, item_width, (words, tags))
        self.items = FrameEncoder(item_width, settings.items)
        self.captions = WordEncoder(words, settings)
        wide, size = self.items.width, settings.embed_dim
        self.item_latent = Projection(wide, size, settings.items.dropout_latent)
        self.item_concept = Projection(wide, tags, settings.items.dropout_concept)
        wide = self.captions.width
        self.caption_latent = Projection(wide, size, settings.captions.dropout_latent)
        self.caption_concept = Projection(wide, tags, settings.captions.dropout_concept)

    def encode_items(self, features: Tensor | Frames) -> Encoded:
        """Encode frames [N, L, F], where a row of NaN is none, or :class:`Frames`."""
        return self._items(ItemFrames(features, self.widths[0]))

    def encode_captions(self, features: Tensor) -> Encoded:
        """Encode words [M, L], filled up with 0."""
        return self._captions(CaptionWords(features, self.widths[1][0]))

    def encode_video_frames(
        self, frames: Tensor, lengths: Tensor | Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Latent [N, E] and concept [N, C] vectors of frames [N, L, F] of ``lengths`` [N]."""
        encoded = self._items(ItemFrames(frames, self.widths[0], lengths))
        return encoded.latent, encoded.concept

    def encode_text_tokens(
        self, tokens: Tensor, lengths: Tensor | Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Latent [M, E] and concept [M, C] vectors of words [M, L] of ``lengths`` [M]."""
        encoded = self._captions(CaptionWords(tokens, self.widths[1][0], lengths))
        return encoded.latent, encoded.concept

    def similarity(self, items: Encoded, captions: Encoded, kind: str | None = None) -> Tensor:
        """Return the similarity [N, M]: ``hybrid``, ``latent`` or ``concept``."""
        kind = kind or self.settings.scored_by[0]
        match kind:
            case "latent":
                return items.latent @ captions.latent.T
            case "concept":
                return jaccard_similarity(items.concept, captions.concept)
            case "hybrid":
                return fused_similarity(
                    [
                        (self.similarity(items, captions, part), weight)
                        for part, weight in self.fused(kind) or []
                    ]
                )
        raise ConfigError(
            f"similarity {kind!r} is not this model's, which has hybrid, latent and concept"
        )

    def fused(self, kind: str | None = None) -> list[tuple[str, float]] | None:
        """What ``hybrid`` is the sum of: kinds, each scaled over the whole matrix, and weights."""
        if (kind or self.settings.scored_by[0]) != "hybrid":
            return None
        alpha = float(self.settings.alpha)
        parts = [("latent", alpha), ("concept", 1 - alpha)]
        return [(part, weight) for part, weight in parts if weight]

    def vectors(self, items: Encoded, captions: Encoded) -> tuple[Tensor, Tensor]:
        """Those of the latent space."""
        return items.latent, captions.latent

    def prunable(self) -> dict[str, list[nn.Module]]:
        """The modules of each part that can be pruned, by the names of `settings.pruned.Part`."""
        return {
            "item_rnn": [self.items.levels.rnn],
            "caption_rnn": [self.captions.levels.rnn],
            "item_convolutions": list(self.items.levels.convolutions),
            "caption_convolutions": list(self.captions.levels.convolutions),
            "item_latent": [self.item_latent.linear],
            "caption_latent": [self.caption_latent.linear],
            "item_concept": [self.item_concept.linear],
            "caption_concept": [self.caption_concept.linear],
        }

    def _items(self, given: ItemFrames) -> Encoded:
        def encode(rows: Tensor) -> Encoded:
            levels = self.items(*given.part(rows))
            return _spaces(levels, self.item_latent, self.item_concept)

        return self._in_parts(encode, given.lengths, self.widths[0])

    def _captions(self, given: CaptionWords) -> Encoded:
        def encode(rows: Tensor) -> Encoded:
            levels = self.captions(*given.part(rows))
            return _spaces(levels, self.caption_latent, self.caption_concept)

        return self._in_parts(encode, given.lengths, self.widths[1][0])

    def _in_parts(self, encode: Any, lengths: Tensor, width: int) -> Encoded:
        if torch.is_grad_enabled() or self.training:
            return encode(torch.arange(len(lengths), device=lengths.device))
        order, found = [], []
        for rows in parts_by_length(lengths, width, _NUMBERS):
            order.append(rows)
            found.append(encode(rows))
        back = torch.argsort(torch.cat(order))
        return Encoded(*(torch.cat(parts)[back] for parts in zip(*found, strict=True)))


def _spaces(levels: Tensor, latent: Projection, concept: Projection) -> Encoded:
    logits = concept(levels)
    return Encoded(F.normalize(latent(levels), dim=1), logits.sigmoid(), logits)
