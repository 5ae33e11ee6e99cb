"""The index of a gallery's items: built or read, and measured against a full search."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from polymatch.search.encoded import made_from, read_record, tensors_of, write_record
from polymatch.search.index import PointIndex
from polymatch.search.scores import best
from polymatch.search.sides import checkpoint_key
from polymatch.training.scoring import encoded_rows

if TYPE_CHECKING:
    from polymatch.search.engine import SearchEngine

SAMPLE = 100
"""Test captions that an index is measured by."""
_BEST = 10
_ROWS = 1 << 16


def item_index(engine: SearchEngine, candidates: int | None = None) -> PointIndex:
    """The index of the engine's items; its recall is printed on stderr when it is built.

    Raises:
        ConfigError: the similarity looks at every pair by itself, or faiss is not installed.
    """
    folder = engine.sides.folder / f"index.{engine.kind}"
    key = {
        **checkpoint_key(engine.run),
        "items": read_record(engine.sides.folder / "items").get("key"),
        "candidates": candidates,
    }
    if made_from(folder, key):
        return PointIndex.load(folder / "points.faiss", read_record(folder)["found"])
    index = PointIndex.build(lambda: _points(engine), len(engine.gallery))
    index = _measured(engine, index, candidates)
    print(f"{engine.run.name}, {engine.kind}: {index.found.described()}", file=sys.stderr)
    with suppress(OSError):  # someone else's results: it is built again the next time
        folder.mkdir(parents=True, exist_ok=True)
        index.save(folder / "points.faiss")
        write_record(folder, key, found=asdict(index.found))
    return index


def _points(engine: SearchEngine) -> Iterator[NDArray[np.float32]]:
    items = engine.items
    for start in range(0, len(tensors_of(items)[0]), _ROWS):
        with torch.inference_mode():
            block = encoded_rows(items, slice(start, start + _ROWS))
            yield engine.model.item_points(block, engine.kind).cpu().numpy()


def _measured(engine: SearchEngine, index: PointIndex, candidates: int | None) -> PointIndex:
    """The index with what it needs to find nearly all that a full search of some captions finds."""
    captions: Any = engine.sides.sampled_captions(SAMPLE)
    queries = [encoded_rows(captions, slice(q, q + 1)) for q in range(_count(captions))]
    answers = [set(best(engine.all_scores(query), _BEST).tolist()) for query in queries]

    def rescored(query: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = np.sort(rows[rows >= 0])
        with torch.inference_mode():
            scores = engine.scorer.of_some(engine.items, rows, queries[query])
        return rows[best(scores, _BEST)]

    with torch.inference_mode():
        points = engine.model.caption_points(captions, engine.kind).cpu().numpy()
    return index.tuned(points, answers, rescored, candidates)


def _count(encoded: Any) -> int:
    return len(tensors_of(encoded)[0])
