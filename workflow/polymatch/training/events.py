"""A training's history as TensorBoard events, beside the table that every run has."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from polymatch.errors import ConfigError


class Events:
    """Writes scalars into ``folder``: those of an epoch by its number, a batch's by all batches.

    Args:
        folder: emptied, unless a resumed training goes on in it.
        first_epoch: the first epoch that is written; later ones of a killed training are
            superseded.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        try:
            # A second of imports that no other training waits for.
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "training.tensorboard: the package tensorboard is not installed; install it or "
                "set it to false"
            ) from error
        if first_epoch <= 1:
            shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def batch(self, step: int, parts: Mapping[str, Tensor]) -> None:
        """The loss of a batch and its parts, ``batch/loss`` and so on."""
        for name, part in parts.items():
            self._writer.add_scalar(f"batch/{name}", float(part.detach()), step)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A row of the history, ``epoch/val_rsum`` and so on; what is missing is left out."""
        for name, value in row.items():
            if name != "epoch" and value == value:
                self._writer.add_scalar(f"epoch/{name}", value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
