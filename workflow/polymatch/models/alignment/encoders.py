"""Regions and words in the shared space: a linear layer, and an embedding with a GRU.

Diao et al., Similarity Reasoning and Filtration for Image-Text Matching, AAAI 2021, section 3.1.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from polymatch.models.alignment.layers import linear, unit
from polymatch.settings.alignment import AlignmentModelSettings
from polymatch.whole_batch import longest


class RegionEncoder(nn.Module):
    """Features of regions [N, R, F] -> [N, R, D]."""

    def __init__(self, width: int, settings: AlignmentModelSettings) -> None:
        super().__init__()
        self.linear = linear(width, settings.embed_dim)
        self.normalise = settings.normalise_items

    def forward(self, images: Tensor) -> Tensor:
        regions = self.linear(images)
        return unit(regions) if self.normalise else regions


class WordEncoder(nn.Module):
    """Tokens [M, L] of captions of given lengths -> [M, L', D], with the longest length as L'.

    Rows behind a caption's length are zero. Captions may come in any order: each is read as if it
    were alone.
    """

    def __init__(self, vocabulary: int, settings: AlignmentModelSettings) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, settings.word_dim)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(settings.dropout)
        self.gru = nn.GRU(
            settings.word_dim,
            settings.embed_dim,
            settings.num_layers,
            batch_first=True,
            bidirectional=settings.bidirectional,
        )
        self.normalise = settings.normalise_words

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(tokens))
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        read, _ = self.gru(packed)
        # Packed, there is no padding whose length of zero would be divided by.
        words = read.data
        if self.gru.bidirectional:
            words = words.unflatten(1, (2, -1)).mean(1)
        if self.normalise:
            words = unit(words)
        # Dropout that follows draws a number for every place of the batch, padding included.
        total = longest(lengths) if self.training else None
        packed = PackedSequence(words, *read[1:])
        return pad_packed_sequence(packed, batch_first=True, total_length=total)[0]
