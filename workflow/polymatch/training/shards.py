"""A similarity matrix that was scored in shards: put together again, row block after row block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polymatch.data.splits import shard_of
from polymatch.errors import DataError

_BLOCK_BYTES = 1 << 26


def gather_scores(shards: Sequence[Path], out: Path) -> None:
    """Write the shards' rows [n_k, M], in their order, as one ``.npy`` [N, M], in blocks.

    Raises:
        DataError: a shard is missing or truncated, or is not the share of the items that it should
            be; all are then to be computed again.
    """
    parts = [_open(path) for path in shards]
    rows, columns = sum(len(part) for part in parts), parts[0].shape[1]
    matrix = np.lib.format.open_memmap(out, "w+", parts[0].dtype, (rows, columns))
    step = max(1, _BLOCK_BYTES // max(1, parts[0].dtype.itemsize * columns))
    for number, (path, part) in enumerate(zip(shards, parts, strict=True)):
        place = shard_of(rows, number, len(shards))
        expected = (place.stop - place.start, columns)
        if part.shape != expected or part.dtype != matrix.dtype:
            raise DataError(
                f"{path}: has shape {part.shape} of {part.dtype}, expected {expected} of "
                f"{matrix.dtype} as shard {number + 1} of {len(shards)}; delete the shards and "
                "score again"
            )
        for start in range(0, len(part), step):
            block = part[start : start + step]
            matrix[place.start + start :][: len(block)] = block
    matrix.flush()


def _open(path: Path) -> np.memmap:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a whole shard of a similarity matrix ({error}); delete it and score again"
        ) from error
