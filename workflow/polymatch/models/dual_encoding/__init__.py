"""The dual-encoding family: frames and words at three levels, into a latent and a concept space.

Dong et al., "Dual Encoding for Video Retrieval by Text", TPAMI 2021, and "Dual Encoding++:
Optimization of Text-Video Retrieval via Fine-tuning and Pruning", ICCE-Asia 2023, whose code's
sizes and order of operations these are. Similarities: ``latent``, the cosine; ``concept``, the
Jaccard similarity of tag probabilities; ``hybrid``, alpha times the one plus 1 - alpha times the
other, each scaled to 0 to 1 over the whole matrix that is asked for.

Embeddings are those that the published code gives to a video or caption alone. Deviations from it:

* Nothing depends on padding (:mod:`.encoders`). There the mean of a GRU is divided by the longest
  length of the batch and maxima go over what convolutions make of padding, so that an embedding
  changes with its batch. The vector of ``<pad>`` is never read, neither there nor here: whether it
  is zero (``pad_zero``) changes nothing.
* Scaling is (x - min) / (max - min) (there (x - min) / max, which weighs the spaces by how far
  apart their least and largest similarities are, and turns the order round if all are negative).
* A batch is projected into the concept space once, for both its losses (there twice, with two draws
  of dropout, and the running statistics take two steps).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymatch.data.frames import Frames
from polymatch.errors import ConfigError
from polymatch.models.dual_encoding.encoders import FrameEncoder, Projection, WordEncoder
from polymatch.models.dual_encoding.inputs import CaptionWords, ItemFrames, parts_by_length
from polymatch.models.dual_encoding.published import check_entry, checked_weights, read_published
from polymatch.models.dual_encoding.similarity import fused_similarity, jaccard_similarity
from polymatch.models.model import RetrievalModel
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.settings.model import ModelSettings

__all__ = ["Encoded", "Model", "jaccard_similarity", "load_published"]

# Numbers of frames, or of embedded words, that are encoded at once where nothing is learnt.
_NUMBERS = 1 << 22


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

    Raises:
        ConfigError: there are no tags.
    """

    settings: DualEncodingModelSettings

    def __init__(
        self,
        settings: DualEncodingModelSettings,
        item_width: int,
        caption_width: Sequence[int] | int,
    ) -> None:
        if isinstance(caption_width, int):
            raise ConfigError(
                f"family dual_encoding: captions of width {caption_width}, but it needs the "
                "numbers of words and of tags; train it with concept tags"
            )
        words, tags = caption_width
        super().__init__(settings, item_width, (words, tags))
        self.numbers_at_once = _NUMBERS
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

    def item_points(self, items: Encoded, kind: str | None = None) -> Tensor:
        """Of the latent space, of the tags, or of both with their shares of ``hybrid``.

        Between tags that are there or not, the sum of the minima is the inner product; of
        probabilities it is near. Ranges of the two similarities are left out.
        """
        tags = F.normalize(items.concept, dim=-1)
        match kind or self.settings.scored_by[0]:
            case "latent":
                return items.latent
            case "concept":
                return tags
        alpha = float(self.settings.alpha)
        return torch.cat([alpha**0.5 * items.latent, (1 - alpha) ** 0.5 * tags], -1)

    def take_word_vectors(self, vectors: Tensor) -> None:
        """Start from these vectors of all words, [V, D], whose width the embedding takes.

        Raises:
            ConfigError: there are not as many as words.
        """
        vocabulary = self.widths[1][0]
        if vectors.ndim != 2 or len(vectors) != vocabulary:
            raise ConfigError(
                f"word vectors of shape {tuple(vectors.shape)}: the model has {vocabulary} words, "
                f"[{vocabulary}, D]; make them of its vocabulary"
            )
        width = vectors.shape[1]
        if width != self.settings.word_dim:
            self.settings = self.settings.model_copy(update={"word_dim": width})
            self.captions = WordEncoder(vocabulary, self.settings).to(self.device)
        self.captions.start_from(vectors)

    def fits(self, item_width: Any, caption_width: Any) -> bool:
        """Whether data has these widths; where it has no tags, their number is the model's own."""
        words, _ = self.widths[1]
        return self.widths[0] == item_width and caption_width in (words, self.widths[1])

    def adopt(self, settings: ModelSettings) -> None:
        assert isinstance(settings, DualEncodingModelSettings)  # the family's own
        check_entry(self.settings, settings)
        self.settings = settings

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
        for rows in parts_by_length(lengths, width, self.numbers_at_once):
            order.append(rows)
            found.append(encode(rows))
        back = torch.argsort(torch.cat(order))
        return Encoded(*(torch.cat(parts)[back] for parts in zip(*found, strict=True)))


def _spaces(levels: Tensor, latent: Projection, concept: Projection) -> Encoded:
    logits = concept(levels)
    return Encoded(F.normalize(latent(levels), dim=1), logits.sigmoid(), logits)


def load_published(path: Path | str) -> Model:
    """Return the model that a checkpoint of the published code holds, ready to encode.

    Raises:
        DataError: the file is missing, broken, or not one of the published code; what is wrong with
            it is named.
    """
    published = read_published(path)
    model = Model(published.settings, published.frame_width, published.caption_width)
    model.load_state_dict(checked_weights(published, model.state_dict()))
    return model.eval()
