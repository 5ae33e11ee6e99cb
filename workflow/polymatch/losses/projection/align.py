"""ALIGN's loss: softmax with a learnt temperature and smoothed labels.

Jia et al., "Scaling Up Visual and Vision-Language Representation Learning With Noisy Text
Supervision", ICML 2021, equations 1 to 3 and section 5 (label smoothing 0.1).

Deviation from the published heads: theirs has neither; a fixed ``tau`` and ``smoothing: 0`` are it.
"""

from __future__ import annotations

from polymatch.losses.projection import softmax
from polymatch.models.projection import Model
from polymatch.settings.projection.losses.align import AlignLoss


class TrainingLoss(softmax.TrainingLoss):
    """Symmetric cross-entropy with label smoothing."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        assert isinstance(model.settings.loss, AlignLoss)
        self.smoothing = model.settings.loss.smoothing
