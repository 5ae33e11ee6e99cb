"""Loss of a pruned model that is trained again: that of the dual encoder in it."""

from __future__ import annotations

from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses import dual_encoding
from polymatch.losses.loss import Loss
from polymatch.models.pruned import Model


class TrainingLoss(Loss):
    """:class:`polymatch.losses.dual_encoding.TrainingLoss` of ``model.inner``."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.inner = dual_encoding.TrainingLoss(model.inner)

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        return self.inner(model.inner, batch)

    def after_step(self, model: Model) -> None:
        self.inner.after_step(model.inner)
