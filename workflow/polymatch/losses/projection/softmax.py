"""Softmax loss (InfoNCE in both directions), with a fixed or a learnt temperature.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021,
figure 3. Several positives of a query share its target.

Deviation from the published heads: the sum of both directions, not their mean.
"""

from __future__ import annotations

from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.losses.loss import Loss
from polymatch.models.projection import Model


class TrainingLoss(Loss):
    """Symmetric cross-entropy of a batch."""

    smoothing = 0.0

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        items, captions = model.encode_batch(batch)
        logits = model.logits(model.similarity(items, captions))
        loss = symmetric_cross_entropy(logits, batch.positives, self.smoothing)
        return {"loss": loss, "temperature": model.temperature}
