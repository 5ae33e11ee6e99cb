"""Similarity attention filtration (SAF): a gate says how much each alignment of a pair counts.

Diao et al., AAAI 2021, section 3.4. The gate is the sigmoid of a linear layer and a batch
normalisation. The published code takes captions one by one: in training the gates of a caption are
normalised over all items and its own alignments, and the running statistics take a step for each
caption, in the order of the batch. Here captions come together, with statistics each, and the steps
are one sum: after captions 1 to M, with momentum a,

    running_M = (1 - a)^M running_0 + a sum_j (1 - a)^(M - j) statistic_j
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polymatch.models.alignment.layers import TINY, into_unit, linear

_MOMENTUM = 0.1


class AttentionFiltration(nn.Module):
    """Alignments [N, m, K, S] of N items with m captions -> one vector a pair, [N, m, S]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = linear(width, 1)
        self.norm = nn.BatchNorm1d(1, momentum=_MOMENTUM)

    def forward(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors, and in training the statistics [2, m] of the captions' gates (else [2, 0]).

        In training ``nodes`` must be of all items of the batch. Running statistics stay as they
        are until :meth:`update`.
        """
        raw = self.gate(nodes).squeeze(3)
        if self.training:
            variance, mean = torch.var_mean(raw, (0, 2), correction=0)
            count = raw.shape[0] * raw.shape[2]
            # What is remembered is the unbiased variance, as in torch's own batch normalisation.
            statistics = torch.stack([mean, variance * (count / (count - 1))]).detach()
            mean, variance = mean[:, None], variance[:, None]
        else:
            mean, variance = self._running
            statistics = raw.new_empty(2, 0)
        scale = self.norm.weight * (variance + self.norm.eps).rsqrt()
        gates = torch.sigmoid((raw - mean) * scale + self.norm.bias)
        gates = gates / (gates.sum(2, keepdim=True) + TINY)
        return into_unit((gates[:, :, None] @ nodes).squeeze(2)), statistics

    @torch.no_grad()
    def update(self, statistics: Tensor) -> None:
        """Take the running statistics a step further for each of M captions.

        Args:
            statistics: [2, M], means and unbiased variances of all captions of the batch, in the
                order of the batch.
        """
        steps = statistics.shape[1]
        age = torch.arange(steps - 1, -1, -1, device=statistics.device, dtype=statistics.dtype)
        taken = statistics @ (_MOMENTUM * (1 - _MOMENTUM) ** age)
        for running, value in zip(self._running, taken, strict=True):
            running.mul_((1 - _MOMENTUM) ** steps).add_(value)
        assert self.norm.num_batches_tracked is not None
        self.norm.num_batches_tracked += steps

    @property
    def _running(self) -> tuple[Tensor, Tensor]:
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None
        return mean, variance
