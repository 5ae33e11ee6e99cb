"""Means and covariances of matched pairs, added up block by block in float64.

Nothing of a training set's size is ever held: items of width D and captions of width D' need the
covariances (D x D, D' x D', D x D') and one block. The captions' covariance, the largest and by far
the dearest, is computed once for all powers that item features may be taken to.

Sums are of the differences from the first block's mean, so that no figure is lost where the mean is
large beside the deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.blas import dsyrk
from tqdm import tqdm

from polymatch.data.training_set import StoredTrainingSet, TrainingSet

Array = NDArray[np.float64]

_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class PairMoments:
    """Moments of a training set's pairs of unit rows; an item counts once for each caption.

    Attributes:
        root: the signed power that item features were taken to first.
        item_mean, caption_mean: [D] and [D'].
        items, captions: covariances, [D, D] and [D', D'].
        cross: covariance of items and captions, [D, D'].
    """

    root: float
    item_mean: Array
    caption_mean: Array
    items: Array
    captions: Array
    cross: Array


def pair_moments(
    train: TrainingSet | StoredTrainingSet, roots: Sequence[float], block_rows: int | None = None
) -> list[PairMoments]:
    """Moments of ``train`` for each of ``roots``, in one pass over its features.

    Args:
        block_rows: captions that are read at a time; by default what 64 MB hold as float64.
    """
    item_width, caption_width = train.widths
    step = block_rows or max(1, _BLOCK_BYTES // (8 * (item_width + caption_width)))
    # Captions of one item go together: its features are read, and multiplied, once for them all.
    order = np.argsort(train.pairs, kind="stable")
    y_sums = _Sums(caption_width)
    x_sums = [_Sums(item_width) for _ in roots]
    crosses = [np.zeros((item_width, caption_width)) for _ in roots]
    starts = range(0, len(order), step)
    for start in tqdm(starts, desc="covariances", mininterval=5):
        block = train.gather(order[start : start + step])
        y = y_sums.centred(unit_rows(block.captions))
        y_sums.add(y)
        counts = np.bincount(block.pairs)
        of_items = np.add.reduceat(y, np.cumsum(counts) - counts, axis=0)
        for root, sums, cross in zip(roots, x_sums, crosses, strict=True):
            x = sums.centred(unit_rows(block.items, root), counts)
            sums.add(x, counts)
            cross += x.T @ of_items
    captions = y_sums.covariance()
    return [
        PairMoments(
            root,
            sums.mean,
            y_sums.mean,
            sums.covariance(),
            captions,
            cross / sums.count - np.outer(sums.shift, y_sums.shift),
        )
        for root, sums, cross in zip(roots, x_sums, crosses, strict=True)
    ]


def unit_rows(x: ArrayLike, root: float = 1.0) -> Array:
    """Rows [n, D], taken to the signed power ``root`` and then to unit length, in float64."""
    rows = np.asarray(x, dtype=np.float64)
    if root != 1.0:
        rows = np.sign(rows) * np.abs(rows) ** root
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True).clip(1e-12)


class _Sums:
    """Count, sum and products of the rows of one side, about the mean of its first block."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._origin: Array | None = None
        self._sum = np.zeros(width)
        # Fortran order, so that BLAS adds to it in place; of the two halves only the upper one.
        self._products = np.zeros((width, width), order="F")

    def centred(self, rows: Array, counts: NDArray[np.int64] | None = None) -> Array:
        """``rows`` less the origin; the first ones decide on it."""
        if self._origin is None:
            self._origin = np.average(rows, axis=0, weights=counts)
        return rows - self._origin

    def add(self, rows: Array, counts: NDArray[np.int64] | None = None) -> None:
        """Add centred rows, each as often as ``counts`` says, or once."""
        weighted = rows if counts is None else rows * np.sqrt(counts)[:, None]
        self._products = dsyrk(1.0, weighted.T, beta=1.0, c=self._products, overwrite_c=1)
        self._sum += rows.sum(0) if counts is None else counts @ rows
        self.count += len(rows) if counts is None else int(counts.sum())

    @property
    def shift(self) -> Array:
        """Mean of the centred rows."""
        return self._sum / self.count

    @property
    def mean(self) -> Array:
        return self.shift if self._origin is None else self._origin + self.shift

    def covariance(self) -> Array:
        """Both halves of the covariance, in place of the products: nothing can be added after."""
        covariance, shift = self._products, self.shift
        for row in range(len(covariance)):
            covariance[row, row:] = covariance[row, row:] / self.count - shift[row] * shift[row:]
            covariance[row + 1 :, row] = covariance[row, row + 1 :]
        return covariance
