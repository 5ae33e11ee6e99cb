"""Whether the processes that share a training do the same: before it, and after every epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from torch import nn

from polymatch import distributed
from polymatch.data.splits import RetrievalSet, StoredTrainingSet, TrainingSet
from polymatch.errors import NumericsError
from polymatch.models import RetrievalModel
from polymatch.provenance import settings_hash

# Of the size of all weights: rounding is far below it, another training far above.
_DRIFT = 1e-3


def start_alike(
    model: RetrievalModel,
    train_set: TrainingSet | StoredTrainingSet,
    val_set: RetrievalSet,
    seed: int,
) -> None:
    """See that all train one model on one data set, and give them the first one's weights.

    Raises:
        DataError: they have other settings, or other captions of other items.
    """
    if distributed.world_size() == 1:
        return
    pairs = hashlib.sha256(train_set.pairs.tobytes() + train_set.texts.tobytes()).hexdigest()
    ours = settings_hash(model.settings, seed, pairs, list(val_set.item_ids))
    distributed.check_agreement(ours, "settings or data")
    distributed.take_first(model)


def refuse_drift(parameters: Sequence[nn.Parameter], epoch: int) -> None:
    """See that all have the same weights, up to rounding.

    Raises:
        NumericsError: they have not.
    """
    if distributed.world_size() == 1:
        return
    size = sum(float(parameter.detach().double().abs().sum()) for parameter in parameters)
    if distributed.spread(size) > _DRIFT * size:
        raise NumericsError(
            f"the processes' weights are not the same after epoch {epoch}; train on machines of "
            "one kind, or with one process"
        )
