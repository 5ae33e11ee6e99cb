"""Both sides of a gallery through the model, kept beside the run (:mod:`.encoded`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polymatch.data.tables import read_table
from polymatch.data.words import open_store
from polymatch.device import on_device
from polymatch.models import RetrievalModel
from polymatch.search.encoded import kept, made_from, read_record, write_record
from polymatch.search.gallery import Gallery, caption_rows, longest_caption
from polymatch.search.run import CHECKPOINT, TrainedRun
from polymatch.search.scores import Ranges, fixed_ranges, on
from polymatch.training.scoring import encoded_rows

FOLDER = "search"
"""Folder in that of a run; deleted, it is made again."""


class Sides:
    """Items and captions of a gallery as a run encodes them."""

    def __init__(self, run: TrainedRun, gallery: Gallery, model: RetrievalModel) -> None:
        self._run, self._gallery, self._model = run, gallery, model
        self.folder = run.folder / FOLDER / _named(gallery)

    def items(self) -> Any:
        """All items, encoded, on the model's device where that is not the CPU."""
        gallery = self._gallery
        maps = [self._run.alignment] if gallery.maps is not None else []

        def encoded(blocks: Iterator[Any]) -> Iterator[Any]:
            for block in blocks:
                with torch.inference_mode():
                    yield self._model.encode_items(on_device(block, self._model.device))

        found = kept(
            self.folder / "items",
            {**self._checkpoint, **_made_of(gallery.source.path, gallery.item_ids, *maps)},
            len(gallery),
            lambda: encoded(gallery.blocks()),
            lambda: next(encoded(iter([gallery.features(slice(0, 1))]))),
        )
        return self._placed(found)

    @cached_property
    def captions(self) -> Any:
        """All captions of the gallery, one of each text, encoded; likewise."""
        queries = self._gallery.queries
        assert queries is not None
        return self._encoded_captions("captions", queries.caption_ids)

    def sampled_captions(self, number: int) -> Any:
        """Some of the run's test captions, encoded, evenly spread over all of them."""
        gallery = Gallery.open(self._run, "test")
        assert gallery.queries is not None
        ids = gallery.queries.caption_ids
        rows = np.unique(np.linspace(0, len(ids) - 1, min(number, len(ids))).astype(int))
        store = open_store(self._run.caption_store)
        features = store.take(store.index([ids[row] for row in rows]))
        with torch.inference_mode():
            return self._model.encode_captions(on_device(features, self._model.device))

    def uncertainty(self, encoded: Any, rows: NDArray[np.int64]) -> list[float | None]:
        """Of some of what was encoded; None for each where the model has none."""
        one = self._model.uncertainty(encoded_rows(encoded, slice(0, 1)))
        if one is None:
            return [None] * len(rows)
        found = self._model.uncertainty(encoded_rows(encoded, torch.from_numpy(rows)))
        assert found is not None
        return found.cpu().tolist()

    @cached_property
    def files(self) -> dict[str, Path]:
        """The picture or clip of each item of the data set that has one."""
        manifest = read_table(self._run.manifest, "manifest")
        there = manifest[manifest["path"].notna()]
        root = self._run.root
        return {i: root / path for i, path in zip(there["item_id"], there["path"], strict=True)}

    @property
    def _checkpoint(self) -> dict[str, Any]:
        return checkpoint_key(self._run)

    def _encoded_captions(self, name: str, ids: Sequence[str]) -> Any:
        store = open_store(self._run.caption_store)

        def encoded(blocks: Iterator[NDArray[np.int64]]) -> Iterator[Any]:
            for rows in blocks:
                with torch.inference_mode():
                    features = on_device(store.take(rows), self._model.device)
                    yield self._model.encode_captions(features)

        found = kept(
            self.folder / name,
            {**self._checkpoint, **_made_of(store.path, ids)},
            len(ids),
            lambda: encoded(caption_rows(store, ids)),
            lambda: next(encoded(caption_rows(store, ids[:1]))),
            longest_caption(store, ids),
        )
        return self._placed(found)

    def _placed(self, encoded: Any) -> Any:
        return on(encoded, self._model.device)


def known_ranges(run: TrainedRun, model: RetrievalModel, kind: str) -> Ranges | None:
    """The ranges that a similarity is scaled to: those of all test items and test captions."""
    if model.fused(kind) is None:
        return None
    gallery = Gallery.open(run, "test")
    assert gallery.queries is not None
    sides = Sides(run, gallery, model)
    folder = run.folder / FOLDER / f"ranges.{kind}"
    key = {
        **checkpoint_key(run),
        **_made_of(gallery.source.path, gallery.item_ids),
        "captions": _made_of(run.caption_store, gallery.queries.caption_ids),
    }
    if made_from(folder, key):
        return {name: (low, high) for name, (low, high) in read_record(folder)["ranges"].items()}
    with torch.inference_mode():
        ranges = fixed_ranges(model, kind, sides.items(), sides.captions)
    with suppress(OSError):  # someone else's results: it is looked for again the next time
        write_record(folder, key, ranges=dict(ranges))
    return ranges


def checkpoint_key(run: TrainedRun) -> dict[str, Any]:
    """What a run's encodings depend on of its checkpoint: the content, and when it was written."""
    weights = run.folder / CHECKPOINT[0]
    digest = hashlib.sha256()
    for name in CHECKPOINT:
        with (run.folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {"checkpoint": digest.hexdigest(), "written": weights.stat().st_mtime_ns}


def _made_of(store: Path, ids: Sequence[str], *more: Path) -> dict[str, Any]:
    files = {str(path.resolve()): path.stat() for path in (store, *more)}
    hashed = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return {
        "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in files.items()},
        "ids": hashed,
    }


def _named(gallery: Gallery) -> str:
    if gallery.maps is None and gallery.queries is not None:
        return gallery.name
    where = hashlib.sha256(str(gallery.source.path.resolve()).encode()).hexdigest()[:8]
    return f"{gallery.name}.{where}"
