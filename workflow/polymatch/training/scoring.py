"""Score a model on a retrieval set: the one way to a similarity matrix, for val and test alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.device import on_device
from polymatch.models import RetrievalModel

_BLOCK_NUMBERS = 1 << 26
_TILE_PAIRS = 1 << 18
_WORD_CAPTIONS = 1024


def score(model: RetrievalModel, data: RetrievalSet, kind: str | None = None) -> np.ndarray:
    """Return the similarity of every item with every query, [N, M], in evaluation mode."""
    with torch.inference_mode(), _evaluating(model):
        return model.similarity(*encode(model, data), kind).cpu().numpy()


def tile_size(model: RetrievalModel, captions: int) -> int:
    """Items that are scored at once with so many captions.

    How a matrix product rounds depends on its shape, and on which processor it runs. So a shard is
    scored in the tiles of the whole matrix, and its scores are the same to the bit.
    """
    return max(model.tile_items, _TILE_PAIRS // max(1, captions))


def whole_tiles(rows: slice, size: int, items: int) -> slice:
    """The rows of the tiles of ``size`` items that ``rows`` are in.

    >>> whole_tiles(slice(100, 150), size=64, items=180)
    slice(64, 180, None)
    """
    return slice(rows.start // size * size, min(items, -(-rows.stop // size) * size))


def write_scores(
    path: Path,
    model: RetrievalModel,
    data: RetrievalSet,
    kind: str | None = None,
    size: int | None = None,
    rows: slice = slice(None),
) -> None:
    """Write what :func:`score` returns as ``.npy``, tile after tile.

    Args:
        size: items in a tile; if ``data`` is whole tiles of a gallery, the tiles of that gallery.
        rows: those of ``data`` to write; all of a kind that is scaled over the whole matrix.
    """
    shape = (len(data.items), len(data.captions))
    if fused := model.fused(kind):
        if shape[0] * shape[1] <= _BLOCK_NUMBERS:
            np.save(path, score(model, data, kind))
        else:
            _write_fused(path, model, data, fused)
        return
    top, end, _ = rows.indices(shape[0])
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, (end - top, shape[1]))
    size = size or tile_size(model, shape[1])
    held = max(1, _BLOCK_NUMBERS // max(1, size * shape[1])) * size
    # Words are encoded into a vector each: captions come in blocks too, then.
    words = np.issubdtype(data.captions.dtype, np.integer)
    columns = _WORD_CAPTIONS if words else max(1, shape[1])
    with torch.inference_mode(), _evaluating(model):
        for start in range(0, shape[0], held):
            firsts = range(start, min(start + held, shape[0]), size)
            gallery = [
                model.encode_items(_tensor(data.items[first : first + size], model))
                for first in firsts
            ]
            for left in range(0, shape[1], columns):
                block = data.captions[left : left + columns]
                captions = model.encode_captions(_tensor(block, model))
                for first, items in zip(firsts, gallery, strict=True):
                    scores = model.similarity(items, captions, kind).cpu().numpy()
                    low, high = max(first, top), min(first + len(scores), end)
                    part = scores[low - first : max(low, high) - first]
                    matrix[low - top :][: len(part), left : left + columns] = part
    matrix.flush()


def _write_fused(
    path: Path, model: RetrievalModel, data: RetrievalSet, kinds: list[tuple[str, float]]
) -> None:
    """Write the weighted sum of several kinds, each scaled to 0 to 1 over its whole matrix.

    The scale is only known in the end, so each kind's matrix is a file until then.
    """
    items, captions = encode(model, data)
    shape = (len(data.items), len(data.captions))
    step = max(1, _BLOCK_NUMBERS // max(1, shape[1]))
    blocks = [slice(start, start + step) for start in range(0, shape[0], step)]
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    with TemporaryDirectory(dir=path.parent) as folder, torch.inference_mode():
        for kind, weight in kinds:
            part = np.lib.format.open_memmap(Path(folder) / f"{kind}.npy", "w+", np.float32, shape)
            for block in blocks:
                part[block] = (
                    model.similarity(encoded_rows(items, block), captions, kind).cpu().numpy()
                )
            low, high = float(part.min()), float(part.max())
            for block in blocks:
                matrix[block] += weight * (part[block] - low) / ((high - low) or 1.0)
            del part
    matrix.flush()


def encoded_rows(encoded: Any, rows: slice | Tensor) -> Any:
    """Some of what was encoded, by a slice or by numbers: a tensor, or a (named) tuple of such."""
    if isinstance(encoded, Tensor):
        return encoded[rows]
    return type(encoded)(*(encoded_rows(part, rows) for part in encoded))


def encode(model: RetrievalModel, data: RetrievalSet | TrainingSet) -> tuple[Any, Any]:
    """Encode both sides of a split, a row each, in evaluation mode and without gradients."""
    with torch.inference_mode(), _evaluating(model):
        return (
            model.encode_items(_tensor(data.items, model)),
            model.encode_captions(_tensor(data.captions, model)),
        )


@contextmanager
def _evaluating(model: RetrievalModel) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _tensor(features: Any, model: RetrievalModel) -> Any:
    return on_device(features, model.device)
