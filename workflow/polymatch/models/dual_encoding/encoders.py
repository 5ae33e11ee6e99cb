"""The three levels of frames and of words: what all have, what came when, and what stands out.

Dong et al., "Dual Encoding for Video Retrieval by Text", TPAMI 2021, section 3: level 1 is the mean
of the frames or the count of each word, level 2 the mean of what a GRU gives, level 3 the maxima of
convolutions over that. Frames and words alike are read as far as their true length, so that nothing
depends on what the longest of a batch has made of the others' rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from polymatch.settings.dual_encoding import DualEncodingModelSettings, SideSettings

# Rows of about one length that are convolved together: the padding of others is not.
_GROUP = 32


class Levels(nn.Module):
    """Levels 2 and 3 over rows of width ``width``."""

    def __init__(self, width: int, settings: SideSettings) -> None:
        super().__init__()
        read = settings.rnn_size * (2 if settings.bidirectional else 1)
        self.rnn = nn.GRU(
            width, settings.rnn_size, batch_first=True, bidirectional=settings.bidirectional
        )
        sizes = zip(settings.channels, settings.kernels, strict=True)
        self.convolutions = nn.ModuleList(
            # As wide as it was, "same": an even kernel gives one more in front, which is cut off.
            nn.Conv1d(read, channels, kernel, padding=kernel // 2)
            for channels, kernel in sizes
        )
        self.width = read + sum(settings.channels)

    def forward(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [B, L, width] of ``lengths`` [B] -> the mean [B, H] and the maxima [B, C]."""
        on_cpu = lengths.cpu()
        packed = pack_padded_sequence(rows, on_cpu, batch_first=True, enforce_sorted=False)
        # Zero behind each length: the convolutions see there what they see behind the longest.
        read, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        mean = read.sum(1) / lengths[:, None]
        order = torch.argsort(on_cpu)
        maxima = [
            self._maxima(read[group, : int(on_cpu[group].max())], lengths[group])
            for group in order.split(_GROUP)
        ]
        return mean, torch.cat(maxima)[torch.argsort(order)]

    def _maxima(self, read: Tensor, lengths: Tensor) -> Tensor:
        """What the GRU gave [B, L, H] -> the maxima of all convolutions over it, [B, C]."""
        longest = read.shape[1]
        behind = positions_behind(lengths, longest)[:, None]
        channels = read.transpose(1, 2)
        # The largest first and then the ReLU, which is the same, of a few numbers only.
        found = [
            convolution(channels)[:, :, -longest:].masked_fill(behind, -torch.inf).amax(2)
            for convolution in self.convolutions
        ]
        return torch.cat(found, 1).relu()


class FrameEncoder(nn.Module):
    """Frames [B, L, F], zero behind their ``lengths`` [B] -> all three levels [B, width]."""

    def __init__(self, width: int, settings: SideSettings) -> None:
        super().__init__()
        self.levels = Levels(width, settings)
        self.width = width + self.levels.width

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        mean = frames.sum(1) / lengths[:, None]
        return torch.cat([mean, *self.levels(frames, lengths)], 1)


class WordEncoder(nn.Module):
    """Words [B, L], 0 behind their ``lengths`` [B] -> all three levels [B, width]."""

    def __init__(self, vocabulary: int, settings: DualEncodingModelSettings) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        padding = 0 if settings.pad_zero else None
        self.embedding = nn.Embedding(vocabulary, settings.word_dim, padding_idx=padding)
        self.start_from(torch.empty_like(self.embedding.weight).uniform_(-0.1, 0.1))
        self.levels = Levels(settings.word_dim, settings.captions)
        self.width = vocabulary + self.levels.width

    def start_from(self, vectors: Tensor) -> None:
        """Take these vectors of the words [V, D]; <pad>, if it is to be zero, stays so."""
        with torch.no_grad():
            self.embedding.weight.copy_(vectors)
            if self.embedding.padding_idx is not None:
                self.embedding.weight[self.embedding.padding_idx] = 0

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.embedding(words)
        counts = embedded.new_zeros(len(words), self.vocabulary)
        counts.scatter_add_(1, words, (words > 0).to(counts))
        return torch.cat([counts, *self.levels(embedded, lengths)], 1)


class Projection(nn.Module):
    """Into one space: a linear layer, dropout, batch normalisation; [B, width] -> [B, D]."""

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, size)
        nn.init.xavier_uniform_(self.linear.weight)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.BatchNorm1d(size)

    def forward(self, levels: Tensor) -> Tensor:
        return self.norm(self.dropout(self.linear(levels)))


def positions_behind(lengths: Tensor, longest: int) -> Tensor:
    """True behind each length: [B, longest]."""
    return torch.arange(longest, device=lengths.device) >= lengths[:, None]
