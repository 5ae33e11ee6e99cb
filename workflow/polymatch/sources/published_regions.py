"""Regions as the published code reads them: ``{split}.h5`` with a dataset ``feat``, at no cost.

The published loader takes ``feat[i]`` of image i for the split called ``train``, and of caption i
for every other one. Here ``feat`` is a virtual dataset: it holds nothing, and shows the rows of the
store that lies beside it, found from the file's own folder, so that the results can be moved as a
whole. A row of an image that was left out reads as NaN; so does every row if the store is gone.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from polymatch.files import written_atomically

PUBLISHED_TRAIN = "train"


def write_published(path: Path, store: Path, rows: NDArray[np.int64], repeats: int) -> None:
    """Write ``feat`` [n * repeats, R, F]: each image's regions, ``repeats`` times.

    Args:
        path: the file to write.
        store: the feature store whose rows it shows.
        rows: [n], the row of each image in the store, or -1 of one that is not there.
    """
    with h5py.File(store, "r") as file:
        features = file["features"]
        shape, dtype = features.shape, features.dtype
    layout = h5py.VirtualLayout((len(rows) * repeats, *shape[1:]), dtype)
    source = h5py.VirtualSource(os.path.relpath(store, path.parent), "features", shape, dtype)
    for start, stop in _runs(rows):
        for repeat in range(repeats):
            shown = slice(start * repeats + repeat, (stop - 1) * repeats + repeat + 1, repeats)
            layout[shown] = source[int(rows[start]) : int(rows[start]) + stop - start]
    with written_atomically(path) as partial, h5py.File(partial, "w", libver="latest") as file:
        file.create_virtual_dataset("feat", layout, fillvalue=np.nan)


def _runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First image and the one after the last of every stretch that is one in the store too."""
    breaks = np.flatnonzero((np.diff(rows) != 1) | (rows[:-1] < 0)) + 1
    bounds = [0, *breaks.tolist(), len(rows)]
    return [(start, stop) for start, stop in pairwise(bounds) if rows[start] >= 0]
