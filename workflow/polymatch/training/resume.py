"""The state of a training on disk, so that one that was killed goes on where it was.

One file beside the run's outputs; it is no output itself, since Snakemake removes those of a job
that was killed. It is read with ``weights_only=True``, and only if the same settings, code and data
made it; it is removed when the training is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from polymatch.data.torch_files import read_torch
from polymatch.errors import DataError
from polymatch.files import written_atomically


class ResumePoint:
    """Where a training's state is saved.

    Args:
        path: the file.
        made_by: names settings, code and data; a file that says otherwise is not resumed from.
        seconds: least time between two savings.
    """

    def __init__(self, path: Path, made_by: str, seconds: float = 0.0) -> None:
        self.path, self.made_by, self.seconds = path, made_by, seconds
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none that belongs to this training."""
        if not self.path.is_file():
            return None
        try:
            record = read_torch(self.path)
        except DataError as error:
            print(f"starting anew: {error}")
            return None
        if record["made_by"] != self.made_by:
            print(f"starting anew: {self.path} is of other settings, code or data")
            return None
        print(f"resuming after epoch {record['state']['history'][-1]['epoch']}: {self.path}")
        return record["state"]

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write what ``state`` gives, if it is time."""
        if time.monotonic() - self._saved < self.seconds:
            return
        with written_atomically(self.path) as partial:
            torch.save({"made_by": self.made_by, "state": state()}, partial)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the training is done."""
        self.path.unlink(missing_ok=True)
