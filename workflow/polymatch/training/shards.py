"""A similarity matrix that was scored in shards: put together again, row block after row block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polymatch.evaluation.row_shards import RowShards, open_shard

_BLOCK_BYTES = 1 << 26


def gather_scores(shards: Sequence[Path], out: Path) -> None:
    """Write the shards' rows [n_k, M], in their order, as one ``.npy`` [N, M], in blocks.

    Raises:
        DataError: a shard is missing or truncated, or is not the share of the items that it should
            be; all are then to be computed again.
    """
    whole = RowShards(shards)
    matrix = np.lib.format.open_memmap(out, "w+", whole.dtype, whole.shape)
    step = max(1, _BLOCK_BYTES // max(1, whole.dtype.itemsize * whole.shape[1]))
    for path, top in zip(shards, whole.starts.tolist(), strict=False):
        part = open_shard(path)
        for start in range(0, len(part), step):
            block = part[start : start + step]
            matrix[top + start :][: len(block)] = block
    matrix.flush()
