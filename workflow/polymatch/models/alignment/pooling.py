"""The global vector of an item and of a caption: self-attention over its regions or words.

Each local vector is weighted by how it goes with the mean of all of them (Diao et al., AAAI 2021,
section 3.1, "global representations"; ``VisualSA`` and ``TextSA`` of the published code).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polymatch.models.alignment.layers import linear, unit


class RegionPooling(nn.Module):
    """Regions [N, R, D] -> [N, D]; in training R x D and N values are normalised over the batch.

    The first batch normalisation has a mean and a scale for each region's place, so a model is of
    one number of regions.
    """

    def __init__(self, n_regions: int, width: int, dropout: float) -> None:
        super().__init__()
        self.local = _gate(width, nn.BatchNorm1d(n_regions), dropout)
        self.mean = _gate(width, nn.BatchNorm1d(width), dropout)
        self.weight = linear(width, 1)

    def forward(self, regions: Tensor) -> Tensor:
        gated = self.local(regions) * self.mean(regions.mean(1))[:, None]
        weights = torch.softmax(self.weight(gated), 1)
        return unit((weights * regions).sum(1))


class WordPooling(nn.Module):
    """Words [M, L, D] of captions of given lengths [M] -> [M, D]."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.local = _gate(width, None, dropout)
        self.mean = _gate(width, None, dropout)
        self.weight = linear(width, 1)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        # Padding is zero: it adds nothing to the sum, and may not count in the softmax.
        mean = words.sum(1) / lengths[:, None]
        gated = self.local(words) * self.mean(mean)[:, None]
        padding = torch.arange(words.shape[1], device=words.device) >= lengths[:, None]
        weights = self.weight(gated).masked_fill(padding[:, :, None], -torch.inf)
        return unit((torch.softmax(weights, 1) * words).sum(1))


def _gate(width: int, norm: nn.Module | None, dropout: float) -> nn.Sequential:
    norms = [] if norm is None else [norm]
    return nn.Sequential(linear(width, width), *norms, nn.Tanh(), nn.Dropout(dropout))
