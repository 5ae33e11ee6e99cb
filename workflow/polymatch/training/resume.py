"""The state of a training on disk, so that one that was killed goes on where it was.

One file beside the run's outputs; it is no output itself, since Snakemake removes those of a job
that was killed. It is read with ``weights_only=True``, and only if the same settings, code and data
made it. Whoever trains removes it once its outputs are written.

It is there as a whole or not at all: written under another name, brought to the disk, and moved
into place. A training that is killed at any moment, while it saves too, goes on from the last whole
state to the result that it would have had, bit for bit on a CPU. What is lost is what came after
it: at most ``seconds`` of work, or twenty times as long as a saving takes if that is more, and a
validation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from polymatch.data.torch_files import read_torch
from polymatch.errors import DataError
from polymatch.files import remove_partial, written_atomically
from polymatch.settings.model import TrainedSettings

# Of a training's time that may go into saving within epochs.
_SHARE = 0.05
# What a training may be gone on with in another way: its result is the same.
_HOW = {"processes", "checkpoint_seconds", "tensorboard"}


def deciding(settings: TrainedSettings) -> dict[str, Any]:
    """What of a model's entry its training depends on."""
    return settings.model_dump(mode="json", exclude={"training": _HOW})


class ResumePoint:
    """Where a training's state is saved.

    Args:
        path: the file.
        made_by: names settings, code and data; a file that says otherwise is not resumed from.
        seconds: least time between two savings; with 0 there is one after every epoch, and none
            within.
        share: of the time, what may go into savings within epochs.
    """

    def __init__(
        self, path: Path, made_by: str, seconds: float = 0.0, share: float = _SHARE
    ) -> None:
        self.path, self.made_by, self.seconds, self.share = path, made_by, seconds, share
        self._saved, self._took = time.monotonic(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none that belongs to this training."""
        remove_partial(self.path)
        if not self.path.is_file():
            return None
        try:
            record = read_torch(self.path)
        except DataError as error:
            print(f"starting anew: {error}", flush=True)
            return None
        if record["made_by"] != self.made_by:
            print(f"starting anew: {self.path} is of other settings, code or data", flush=True)
            return None
        # In memory: the file is to be replaced, which on a file system of several machines takes
        # away what is mapped.
        state = deepcopy(record["state"])
        epoch, batches = state["history"][-1]["epoch"], state["batches"]
        where = f"in epoch {epoch + 1} after batch {batches}" if batches else f"after epoch {epoch}"
        saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.path.stat().st_mtime))
        print(f"resuming {where}: {self.path}, saved {saved}", flush=True)
        return state

    def save(self, state: Callable[[], dict[str, Any]], within: bool = False) -> None:
        """Write what ``state`` gives, if it is time; ``within`` an epoch, or after one."""
        wait = self.seconds
        if within:
            wait = max(wait or math.inf, self._took / self.share)
        start = time.monotonic()
        if start - self._saved < wait:
            return
        with written_atomically(self.path, durable=True) as partial:
            torch.save({"made_by": self.made_by, "state": state()}, partial)
        self._saved = time.monotonic()
        self._took = self._saved - start

    def remove(self) -> None:
        """Delete the file: what the training was for is written."""
        self.path.unlink(missing_ok=True)
