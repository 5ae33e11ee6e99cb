"""Sigmoid loss: every pair by itself is a match or none.

Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, algorithm 1: binary
cross-entropy of similarity * scale + bias, summed over pairs and divided by the number of items.
Scale and bias are learnt if the settings say so (there: 10 and -10 at first).

Deviation from the published heads: they take the mean over all pairs, which makes the loss smaller
by the size of the batch.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses.loss import Loss
from polymatch.models.projection import Model


class TrainingLoss(Loss):
    """Binary cross-entropy of all pairs of a batch."""

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        items, captions = model.encode_batch(batch)
        logits = model.logits(model.similarity(items, captions))
        targets = batch.positives.to(logits.dtype)
        loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)
        return {"loss": loss, "temperature": model.temperature}
