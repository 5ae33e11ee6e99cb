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
_WORD_CAPTIONS = 1024


def score(model: RetrievalModel, data: RetrievalSet, kind: str | None = None) -> np.ndarray:
    """Return the similarity of every item with every query, [N, M], in evaluation mode."""
    with torch.inference_mode():
        return model.similarity(*encode(model, data), kind).cpu().numpy()


def write_scores(
    path: Path, model: RetrievalModel, data: RetrievalSet, kind: str | None = None
) -> None:
    """Write what :func:`score` returns as ``.npy``, in blocks of items if it is large."""
    shape = (len(data.items), len(data.captions))
    rows = max(1, _BLOCK_NUMBERS // max(1, shape[1]))
    if rows >= shape[0]:
        np.save(path, score(model, data, kind))
        return
    if fused := model.fused(kind):
        _write_fused(path, model, data, fused)
        return
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    # Words are encoded into a vector each: captions come in blocks too, then.
    words = np.issubdtype(data.captions.dtype, np.integer)
    columns = _WORD_CAPTIONS if words else shape[1]
    with torch.inference_mode(), _evaluating(model):
        for start in range(0, shape[0], rows):
            items = model.encode_items(_tensor(data.items[start : start + rows], model))
            for first in range(0, shape[1], columns):
                block = data.captions[first : first + columns]
                captions = model.encode_captions(_tensor(block, model))
                scores = model.similarity(items, captions, kind)
                matrix[start : start + rows, first : first + columns] = scores.cpu().numpy()
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
