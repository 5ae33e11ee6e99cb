"""Scores of one query against a gallery that stays, and the best of them.

A similarity that is scaled over its whole matrix (``hybrid``) has no meaning for one query: its
ranges are fixed to those of the run's own matrix, of all test items and test captions, whatever
gallery is searched. So scores of the test split are those of the run's matrix, and scores of
different galleries can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polymatch.models import RetrievalModel
from polymatch.search.encoded import tensors_of
from polymatch.surrogate.threads import one_thread
from polymatch.training.scoring import encoded_rows

Ranges = Mapping[str, tuple[float, float]]

# Encoded numbers of a gallery up to which what scoring takes of it is made once and held; a few
# times as many for `poly`.
HELD = 1 << 29
# Items that are scored at once where it is not; or pairs, where ranges are looked for.
_ROWS, _PAIRS = 1 << 16, 1 << 24


class Scorer:
    """A model's similarity of one kind, with fixed ranges where it has some."""

    def __init__(self, model: RetrievalModel, kind: str, ranges: Ranges | None = None) -> None:
        self.model, self.kind = model, kind
        self._ranges = ranges or {}

    def __call__(self, items: Any, captions: Any) -> Tensor:
        """Scores [N, M] of encoded items and captions."""
        parts = self.model.fused(self.kind)
        if parts is None:
            return self.model.similarity(items, captions, self.kind)
        total: Any = 0
        for kind, weight in parts:
            low, high = self._ranges[kind]
            scores = self.model.similarity(items, captions, kind)
            total = total + weight * (scores - low) / ((high - low) or 1.0)
        return total

    def held(self, items: Any) -> Any:
        """Encoded items as they answer query after query: prepared, where there is room."""
        small = sum(tensor.numel() for tensor in tensors_of(items)) <= HELD
        if not small or self.model.fused(self.kind) is not None:
            return Unprepared(items)
        return self.model.prepare_items(items, self.kind)

    def of_caption(self, held: Any, caption: Any) -> NDArray[Any]:
        """Scores [N] of all items that were :meth:`held` with one encoded caption."""
        if not isinstance(held, Unprepared):
            return self(held, caption)[:, 0].cpu().numpy()
        items, device = held.items, tensors_of(caption)[0].device
        count = len(tensors_of(items)[0])
        parts = [slice(start, start + _ROWS) for start in range(0, count, _ROWS)]
        scored = [self(on(encoded_rows(items, part), device), caption)[:, 0] for part in parts]
        return torch.cat(scored).cpu().numpy()

    def of_some(self, items: Any, rows: NDArray[np.int64], caption: Any) -> NDArray[Any]:
        """Scores [n] of these rows of encoded items with one encoded caption."""
        with one_thread():  # a chain of small steps
            some = encoded_rows(items, torch.from_numpy(rows))
            some = on(some, tensors_of(caption)[0].device)
            if self.model.fused(self.kind) is not None:
                return self(some, caption)[:, 0].cpu().numpy()
            return self.model.score_candidates(some, caption, self.kind).cpu().numpy()

    def of_item(self, item: Any, captions: Any) -> NDArray[Any]:
        """Scores [M] of one encoded item with all captions."""
        return self(item, on(captions, tensors_of(item)[0].device))[0].cpu().numpy()


class Unprepared:
    """Encoded items of which no more than a block is prepared at a time."""

    def __init__(self, items: Any) -> None:
        self.items = items


def fixed_ranges(model: RetrievalModel, kind: str, items: Any, captions: Any) -> Ranges:
    """Least and largest score of each kind that ``kind`` is the sum of, over all pairs."""
    ranges = {}
    columns = len(tensors_of(captions)[0])
    step = max(1, _PAIRS // max(1, columns))
    for part, _ in model.fused(kind) or []:
        low, high = np.inf, -np.inf
        for start in range(0, len(tensors_of(items)[0]), step):
            block = encoded_rows(items, slice(start, start + step))
            scores = model.similarity(block, captions, part)
            low, high = min(low, float(scores.min())), max(high, float(scores.max()))
        ranges[part] = (low, high)
    return ranges


def best(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Rows of the ``k`` largest scores [N], the largest first; those that are equal in order.

    >>> best(np.array([0.1, 0.3, 0.2, 0.3]), 3).tolist()
    [1, 3, 2]
    """
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        rows = np.flatnonzero(scores >= least)
    else:
        rows = np.arange(len(scores))
    order = np.argsort(-scores[rows], kind="stable")[:k]
    return rows[order].astype(np.int64)


def on(encoded: Any, device: torch.device) -> Any:
    """An encoding on a device; the same where it is there."""
    if isinstance(encoded, Tensor):
        return encoded.to(device)
    return type(encoded)(*(on(part, device) for part in encoded))
