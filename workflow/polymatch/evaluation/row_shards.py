"""A similarity matrix that lies in several files, each with some of its rows, never as a whole.

Decision: what is read is a panel, some whole rows or some whole columns, small enough to be held;
every figure of a query needs its row or column and nothing more. Files are mapped into memory for
one panel at a time, since a mapping that stays keeps in memory all that was read of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polymatch.data.shards import shard_of
from polymatch.errors import DataError, NumericsError

PANEL_BYTES = 1 << 28


class RowShards:
    """The matrix [N, M] whose rows lie in these ``.npy`` files, one after the other.

    Raises:
        DataError: a file is missing or truncated, or is not the share of the rows that it should
            be; all are then to be computed again.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        parts = [open_shard(path) for path in self.paths]
        self.dtype = parts[0].dtype
        self.shape = sum(len(part) for part in parts), int(parts[0].shape[1])
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        for number, (path, part) in enumerate(zip(self.paths, parts, strict=True)):
            place = shard_of(self.shape[0], number, len(parts))
            expected = (place.stop - place.start, self.shape[1])
            if part.shape != expected or part.dtype != self.dtype:
                raise DataError(
                    f"{path}: has shape {part.shape} of {part.dtype}, expected {expected} of "
                    f"{self.dtype} as shard {number + 1} of {len(parts)}; delete the shards and "
                    "score again"
                )

    def rows(self, first: int, last: int) -> np.ndarray:
        """Rows first..last, [last - first, M].

        Raises:
            NumericsError: one of these numbers is NaN or infinite; the file and place are named.
        """
        panel = np.empty((last - first, self.shape[1]), self.dtype)
        for path, top in zip(self.paths, self.starts.tolist(), strict=False):
            part = open_shard(path)
            low, high = max(first, top), min(last, top + len(part))
            if low < high:
                block = panel[low - first : high - first]
                block[:] = part[low - top : high - top]
                _refuse_non_finite(block, path, low, 0)
        return panel

    def columns(self, first: int, last: int) -> np.ndarray:
        """Columns first..last, [N, last - first]; errors as of :meth:`rows`."""
        panel = np.empty((self.shape[0], last - first), self.dtype)
        for path, top in zip(self.paths, self.starts.tolist(), strict=False):
            part = open_shard(path)
            block = panel[top : top + len(part)]
            block[:] = part[:, first:last]
            _refuse_non_finite(block, path, top, first)
        return panel


def open_shard(path: Path) -> np.memmap:
    """Map a shard of a similarity matrix into memory.

    Raises:
        DataError: it is missing or truncated.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a whole shard of a similarity matrix ({error}); delete it and score again"
        ) from error


def _refuse_non_finite(block: np.ndarray, path: Path, top: int, left: int) -> None:
    if np.isfinite(block).all():
        return
    item, caption = np.argwhere(~np.isfinite(block))[0].tolist()
    raise NumericsError(
        f"{path}: similarity holds a NaN or infinite value at item {top + item}, caption "
        f"{left + caption} (counted from 0); look for a division by zero or an overflow in the "
        "model"
    )
