"""One trained model, SAF or SGR: both encoders, and the similarity of every pair.

Captions are taken by equal length, so that there is no padding between an item and a caption, and
pairs in blocks whose ``[items, captions, words, D]`` numbers stay in a cache; a block's size
changes nothing. With gradients, blocks keep their similarity vectors [.., S], and make what is of
width D again on the way back if all of it would be much.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from polymatch.models.alignment.attention import squared_differences
from polymatch.models.alignment.blocks import Block, blocks
from polymatch.models.alignment.encoders import RegionEncoder, WordEncoder
from polymatch.models.alignment.filtration import AttentionFiltration
from polymatch.models.alignment.layers import into_unit, linear
from polymatch.models.alignment.pooling import RegionPooling, WordPooling
from polymatch.models.alignment.reasoning import GraphReasoning, Step
from polymatch.settings.alignment import AlignmentModelSettings

# Numbers in a block, of width D: a few MB, or on an accelerator what keeps it busy.
_CPU, _ACCELERATOR = 1 << 21, 1 << 26
# Numbers of width D that a training keeps: of them four times as many are held for the way back.
_KEPT = 1 << 24
# Rows that are encoded at once where nothing is learnt: what lies between is dropped sooner.
_ROWS = 512


class Items(NamedTuple):
    """N encoded items: ``regions`` [N, R, D] and ``vector`` [N, D], of an item as a whole."""

    regions: Tensor
    vector: Tensor


class Captions(NamedTuple):
    """M encoded captions: ``words`` [M, L, D], 0 behind ``lengths`` [M], and ``vector`` [M, D]."""

    words: Tensor
    vector: Tensor
    lengths: Tensor


class Part(nn.Module):
    """SAF or SGR over regions [R, F] and a vocabulary."""

    def __init__(
        self, settings: AlignmentModelSettings, item_width: tuple[int, int], vocabulary: int
    ) -> None:
        super().__init__()
        self.settings = settings
        n_regions, width = item_width
        shared, vectors = settings.embed_dim, settings.sim_dim
        self.regions = RegionEncoder(width, settings)
        self.words = WordEncoder(vocabulary, settings)
        self.item_pooling = RegionPooling(n_regions, shared, settings.dropout)
        self.caption_pooling = WordPooling(shared, settings.dropout)
        self.local = linear(shared, vectors)
        self.whole = linear(shared, vectors)
        self.reasoning = GraphReasoning(vectors, settings.steps) if self._reasons else None
        self.filtration = None if self._reasons else AttentionFiltration(vectors)
        self.score = linear(vectors, 1)
        self.block_numbers: int | None = None  # by the device

    @property
    def _reasons(self) -> bool:
        return self.settings.module == "sgr"

    def encode_items(self, images: Tensor) -> Items:
        """Encode features of regions [N, R, F]."""
        if torch.is_grad_enabled() or self.training or len(images) <= _ROWS:
            return self._items(images)
        encoded = [self._items(rows) for rows in images.split(_ROWS)]
        return Items(*(torch.cat(parts) for parts in zip(*encoded, strict=True)))

    def encode_captions(self, tokens: Tensor, lengths: Tensor) -> Captions:
        """Encode tokens [M, L] of captions of ``lengths`` [M]; those behind them do not count."""
        if torch.is_grad_enabled() or self.training or len(tokens) <= _ROWS:
            return self._captions(tokens, lengths)
        shared, longest = self.settings.embed_dim, int(lengths.max())
        words = self.score.weight.new_zeros(len(tokens), longest, shared)
        vector = self.score.weight.new_empty(len(tokens), shared)
        for start in range(0, len(tokens), _ROWS):
            rows = slice(start, start + _ROWS)
            encoded = self._captions(tokens[rows], lengths[rows])
            words[rows, : encoded.words.shape[1]] = encoded.words
            vector[rows] = encoded.vector
        return Captions(words, vector, lengths)

    def similarity(self, items: Items, captions: Captions) -> tuple[Tensor, Tensor]:
        """Scores [N, M], and in training the statistics [2, M] of SAF's gates (else [2, 0])."""
        lengths = captions.lengths
        order = torch.argsort(lengths, stable=True)
        cut = list(blocks(lengths[order].tolist(), len(items.vector), *self._block_size))
        sizes = [block.captions.stop - block.captions.start for block in cut]
        words = captions.words[order].split(sizes)
        vectors = captions.vector[order].split(sizes)
        steps = None if self.reasoning is None else self.reasoning.folded()
        all_numbers = len(items.vector) * int(lengths.sum()) * self.settings.embed_dim
        again = torch.is_grad_enabled() and all_numbers > _KEPT
        # Cut once for each size: every cut gives a gradient of the size of all items.
        galleries = {
            size: list(zip(items.regions.split(size), items.vector.split(size), strict=True))
            for size in {block.items for block in cut}
        }
        scores, statistics = [], []
        for block, local, whole in zip(cut, words, vectors, strict=True):
            found = self._block(
                block, galleries[block.items], Captions(local, whole, lengths), steps, again
            )
            scores.append(found[0])
            statistics.append(found[1])
        back = torch.argsort(order)
        together = torch.cat(statistics, 1)
        return torch.cat(scores, 1)[:, back], together[:, back] if self._remembers else together

    @property
    def _remembers(self) -> bool:
        return self.training and self.filtration is not None

    @property
    def _block_size(self) -> tuple[int, int]:
        """Numbers for a word, and in a block."""
        on_cpu = self.score.weight.device.type == "cpu"
        numbers = self.block_numbers or (_CPU if on_cpu else _ACCELERATOR)
        return self.settings.embed_dim, numbers

    def _items(self, images: Tensor) -> Items:
        regions = self.regions(images)
        return Items(regions, self.item_pooling(regions))

    def _captions(self, tokens: Tensor, lengths: Tensor) -> Captions:
        words = self.words(tokens, lengths)
        return Captions(words, self.caption_pooling(words, lengths), lengths)

    def _block(
        self,
        block: Block,
        gallery: list[tuple[Tensor, Tensor]],
        captions: Captions,
        steps: list[Step] | None,
        again: bool,
    ) -> tuple[Tensor, Tensor]:
        """Scores [N, m] and statistics of all items with the m captions of a block."""
        words = captions.words[:, : block.length]
        parts = (self._nodes((*part, words, captions.vector), again) for part in gallery)
        # One after the other, but for statistics over all items.
        whole = [torch.cat(list(parts))] if self._remembers else parts
        found = [self._scores(nodes, steps) for nodes in whole]
        return torch.cat([scores for scores, _ in found]), found[0][1]

    def _nodes(self, sides: tuple[Tensor, Tensor, Tensor, Tensor], again: bool) -> Tensor:
        """Alignments of n items with m captions: as a whole and of each word, [n, m, 1 + L, S].

        ``again`` says to compute them once more on the way back, instead of keeping what is wide.
        """
        if again:
            raw = checkpoint(self._raw_nodes, *sides, use_reentrant=False, preserve_rng_state=False)
        else:
            raw = self._raw_nodes(*sides)
        return into_unit(raw)

    def _raw_nodes(self, regions: Tensor, vectors: Tensor, words: Tensor, wholes: Tensor) -> Tensor:
        local = self.local(squared_differences(regions, words, self.settings.smoothing))
        whole = self.whole((vectors[:, None] - wholes).square())
        return torch.cat([whole[:, :, None], local], 2)

    def _scores(self, nodes: Tensor, steps: list[Step] | None) -> tuple[Tensor, Tensor]:
        """Scores [n, m] of alignments [n, m, K, S], and statistics."""
        if self.filtration is not None:
            vectors, statistics = self.filtration(nodes)
        else:
            assert self.reasoning is not None
            vectors = self.reasoning(nodes.flatten(0, 1), steps).view(*nodes.shape[:2], -1)
            statistics = nodes.new_empty(2, 0)
        return torch.sigmoid(self.score(vectors).squeeze(2)), statistics
