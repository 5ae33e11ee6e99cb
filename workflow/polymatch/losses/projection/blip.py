"""BLIP's loss: the batch also against encodings by a slow copy of the model.

Li et al., "BLIP", ICML 2022, section 3.2, after ALBEF (Li et al., NeurIPS 2021, section 3.2): a
momentum copy of the model encodes both sides; the loss is (1 - alpha) times the model against
itself plus alpha times the model against the copy.

Deviations from the published heads: the copy encodes without dropout, it follows BatchNorm's
statistics too, and any head can have one. As there, its similarities are candidates, not soft
targets.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Self

import torch
from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses.contrastive import cross_entropy, symmetric_cross_entropy
from polymatch.losses.loss import Loss
from polymatch.models.projection import Model
from polymatch.settings.projection.losses.blip import BlipLoss


class TrainingLoss(Loss):
    """Cross-entropy against the batch, and against its encodings by the momentum copy."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        settings = model.settings.loss
        assert isinstance(settings, BlipLoss)
        self.alpha, self.momentum = settings.alpha, settings.momentum
        self.copy = deepcopy(model).requires_grad_(False).eval()

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        items, captions = model.encode_batch(batch)
        logits = model.logits(model.similarity(items, captions))
        loss = symmetric_cross_entropy(logits, batch.positives)
        if self.alpha:
            with torch.no_grad():
                slow_items, slow_captions = self.copy.encode_batch(batch)
            to_captions = model.logits(model.similarity(items, slow_captions))
            to_items = model.logits(model.similarity(slow_items, captions))
            slow = cross_entropy(to_captions, batch.positives, -1)
            slow = slow + cross_entropy(to_items, batch.positives, -2)
            loss = (1 - self.alpha) * loss + self.alpha * slow
        return {"loss": loss, "temperature": model.temperature}

    @torch.no_grad()
    def after_step(self, model: Model) -> None:
        for slow, fast in zip(self.copy.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.momentum)
        for held, new in zip(self.copy.buffers(), model.buffers(), strict=True):
            held.copy_(new)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.copy.eval()
        return self
