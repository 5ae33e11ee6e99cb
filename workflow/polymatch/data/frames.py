"""Items with a number of frames of their own: as one array of all frames, and padded when taken.

Models are given [n, L, F], as long as the longest item that was taken, where a row of NaN is no
frame: no store holds NaN, so that it cannot be mistaken, and a model that overlooks it gives NaN
instead of a wrong answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore


class Frames:
    """Frames of N items, of NumPy or torch alike.

    Args:
        rows: [S, F], the frames of item after item.
        offsets: [N + 1], item i has rows offsets[i] to offsets[i + 1]; NumPy's or torch's too.

    >>> frames = Frames(np.array([[1.0], [2.0], [3.0]]), np.array([0, 2, 3]))
    >>> frames[np.array([1, 0])][:, :, 0].tolist()
    [[3.0, nan], [1.0, 2.0]]
    """

    def __init__(self, rows: Any, offsets: Any) -> None:
        self.rows, self.offsets = rows, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Number of items and width of a frame."""
        return len(self), int(self.rows.shape[1])

    @property
    def lengths(self) -> Any:
        """[N], frames of each item."""
        return self.offsets[1:] - self.offsets[:-1]

    def __getitem__(self, items: Any) -> Any:
        """Frames [n, L, F] of these items (numbers or a slice), filled up with NaN."""
        first, lengths = self.offsets[:-1][items], self.lengths[items]
        longest = int(lengths.max()) if len(lengths) else 0
        places: Any = np.arange(longest)
        if not isinstance(self.rows, np.ndarray):
            places = _torch().arange(longest, device=self.rows.device)
        there = places < lengths[:, None]
        padded = self.rows[(first[:, None] + places) * there]
        padded[~there] = float("nan")
        return padded

    def to(self, device: Any) -> Frames:
        """The same as torch tensors on ``device``."""
        torch = _torch()
        return Frames(
            torch.as_tensor(self.rows, dtype=torch.float32, device=device),
            torch.as_tensor(self.offsets, device=device),
        )


class FrameStore(FeatureStore):
    """Read a ragged store item by item; what is taken from it is :class:`Frames`."""

    def numbers_of(self, rows: NDArray[np.int64]) -> int:
        """How many numbers the frames of these items are."""
        return int(np.diff(self.offsets)[rows].sum()) * self.dim

    def take(self, rows: NDArray[np.int64], checked: bool = False) -> Any:
        """Frames of these items, in their order, repeats allowed.

        Raises:
            DataError: a feature is NaN or infinite; its id is named.
        """
        taken, lengths = self.take_ragged(np.asarray(rows, dtype=np.int64), checked)
        return Frames(taken, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def _torch() -> Any:
    # Only here: stages that read tables and stores alone do not wait for torch.
    import torch

    return torch
