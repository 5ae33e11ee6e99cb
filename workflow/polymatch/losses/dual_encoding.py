"""Loss of the dual-encoding family: hinges in both spaces, and cross-entropy with the tags.

Dong et al., "Dual Encoding for Video Retrieval by Text", TPAMI 2021, equations 8, 11 and 12: the
hardest-negative hinge loss on the cosine in the latent space, the same on the Jaccard similarity in
the concept space, and the binary cross-entropy of each side's tag probabilities with the tags of
the item. ``reduction: mean`` is Dual Encoding++ (means over queries, and over rows and tags),
``sum`` the code of TPAMI, where hinges are summed and cross-entropies, still means, are multiplied
by the number of rows.

Deviations from the published codes: other captions of an item, and other items of a text, are no
negatives (:mod:`.triplet`). An item without tags is left out of the cross-entropy (there reading
its tags fails). Cross-entropy and hinge see one projection (:mod:`polymatch.models.dual_encoding`),
and the cross-entropy is of logits (in TPAMI of probabilities, which saturate).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from polymatch.data.batch import Batch
from polymatch.errors import ConfigError
from polymatch.losses.loss import Loss
from polymatch.losses.triplet import triplet_loss
from polymatch.models.dual_encoding import Model


class TrainingLoss(Loss):
    """The sum of all parts; without tags, which val may lack, that of the hinges."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.settings = model.settings.loss

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        settings = self.settings
        items, captions = model.encode_batch(batch)
        parts = {
            f"hinge_{space}": triplet_loss(
                model.similarity(items, captions, space),
                batch.positives,
                settings.margin,
                settings.hardest,
                settings.reduction,
            )
            for space in ("latent", "concept")
        }
        if batch.concepts is not None:
            for side, encoded in (("items", items), ("captions", captions)):
                parts[f"tags_{side}"] = tag_loss(encoded.logits, batch.concepts, settings.reduction)
        return {"loss": sum(parts.values(), items.latent.new_zeros(())), **parts}


def tag_loss(
    logits: Tensor, concepts: Tensor, reduction: Literal["mean", "sum"] = "mean"
) -> Tensor:
    """Binary cross-entropy of tags, a scalar; 0 if no row has any.

    Args:
        logits: [B, C]. concepts: [B, C], from 0 to 1; a row of zeros is left out.
        reduction: of the rows, each of which is the mean of its tags.

    Raises:
        ConfigError: there are tags of another number.
    """
    if logits.shape != concepts.shape:
        raise ConfigError(
            f"tags of shape {list(concepts.shape)} for a concept space of {list(logits.shape)}; "
            "train with the tag vocabulary that the model was built for"
        )
    tagged = concepts.any(1)
    each = F.binary_cross_entropy_with_logits(logits, concepts, reduction="none").mean(1)
    total = (each * tagged).sum()
    return total if reduction == "sum" else total / tagged.sum().clamp(min=1)
