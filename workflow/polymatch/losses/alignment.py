"""Losses of the alignment family: hinge, DAA in both directions, SmoothAP, each with its weight.

Li et al., "A Differentiable Semantic Metric Approximation in Probabilistic Embedding for
Cross-Modal Retrieval", NeurIPS 2022, equation 12: the hinge loss of SGRAF (Diao et al., AAAI 2021)
plus the DAA loss. The hinge loss is summed over the batch, the others are means, as there; a part
of weight 0 is not computed, and the semantic similarity not looked up without need.

Deviations from the published code: DAA has the paper's form unless ``published`` asks for theirs
(:mod:`.daa`), and what matches is never a negative (:mod:`.triplet`).
"""

from __future__ import annotations

from torch import Tensor

from polymatch.data.batch import Batch
from polymatch.losses.daa import daa_of_directions
from polymatch.losses.loss import Loss
from polymatch.losses.smooth_ap import smooth_ap_loss
from polymatch.losses.triplet import triplet_loss
from polymatch.models.model import RetrievalModel
from polymatch.settings.alignment import AlignmentModelSettings


class TrainingLoss(Loss):
    """The sum of the parts that the settings give a weight."""

    def __init__(self, model: RetrievalModel) -> None:
        super().__init__(model)
        assert isinstance(model.settings, AlignmentModelSettings)
        self.settings = model.settings.loss

    def forward(self, model: RetrievalModel, batch: Batch) -> dict[str, Tensor]:
        settings = self.settings
        items, captions = model.encode_batch(batch)
        similarity = model.similarity(items, captions)
        parts = {
            "hinge": triplet_loss(
                similarity, batch.positives, settings.margin, settings.hardest, reduction="sum"
            )
        }
        if settings.daa_weight:
            parts["daa_v2t"], parts["daa_t2v"] = daa_of_directions(
                similarity,
                batch.semantics.between(batch.item_rows, batch.texts),
                settings.daa_weight,
                settings.daa_temperature,
                settings.published,
            )
        if settings.smooth_ap_weight:
            parts["smooth_ap"] = settings.smooth_ap_weight * smooth_ap_loss(
                similarity, batch.positives, settings.smooth_ap_temperature
            )
        return {"loss": sum(parts.values(), similarity.new_zeros(())), **parts}
