"""What a family's loss offers to the loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from polymatch.data.batch import Batch


class Loss(nn.Module, ABC):
    """A family's loss; ``TrainingLoss`` of its module, built once for a training.

    It may hold what only training needs: parameters of its own are optimised beside the model's,
    and its whole state is saved for a training that is stopped and resumed. A trained run keeps
    none of it, so what scoring needs belongs to the model.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, model: Any, batch: Batch) -> dict[str, Tensor]:
        """``loss``, a scalar to be minimised, and parts that the history shows beside it.

        In evaluation mode it is the loss on val, and must leave no trace.
        """

    def after_step(self, model: Any) -> None:
        """Follow a step of the optimiser, with the batch of the last ``forward``."""
