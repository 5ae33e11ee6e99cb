"""Features of a whole data set, streamed into stores: memory stays bounded whatever its size.

Pictures are read and resized by threads while the network works on those before them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from polymatch.data import FeatureWriter, read_frames
from polymatch.encoders.base import Encoder, Features, FeatureShape, Frames
from polymatch.errors import ConfigError, DataError


def extract_items(
    manifest: pd.DataFrame,
    root: Path | str,
    encoder: Encoder,
    out_paths: Mapping[str, Path],
    attributes: Mapping[str, str | int | float],
    batch_size: int = 64,
    on_bad_item: Literal["stop", "skip"] = "stop",
    dtype: str = "float32",
) -> pd.DataFrame:
    """Encode the items of a manifest, each picture read once, and write a store per feature.

    Args:
        manifest: item_id, path (relative to ``root``), n_frames.
        out_paths: a feature of ``encoder.info.item_features`` and the store it goes to; those
            per frame are ragged.
        attributes: at least ``dataset`` and ``command``; the encoder's are added.
        batch_size: frames that are encoded together and held in memory.
        on_bad_item: ``stop`` at the first unreadable picture, or ``skip`` and list them.
        dtype: of the stores, ``float32`` or ``float16``.

    Returns:
        The items left out: table, row (counted from 1), id, problem; empty if none.

    Raises:
        ConfigError: the encoder does not give a feature asked for, or the data set has no pictures.
        DataError: with ``stop``, a picture is missing, broken, or has other than ``n_frames``
            frames; nothing is written then.
    """
    shapes = encoder.info.item_features
    for name in out_paths:
        if name not in shapes:
            raise ConfigError(
                f"feature {name!r}: encoder {encoder.info.name} gives only {', '.join(shapes)}"
            )
    if manifest["path"].isna().any():
        raise ConfigError(
            f"encoder {encoder.info.name}: {int(manifest['path'].isna().sum())} of {len(manifest)} "
            "items have no picture to encode; if features come with the data set, set "
            "`encoder.given` to true"
        )
    attributes = {**_provenance(encoder), **attributes}
    problems: list[tuple[str, int, str, str]] = []
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                FeatureWriter(
                    path, shapes[name].shape or (), attributes, shapes[name].per_frame, dtype
                )
            )
            for name, path in out_paths.items()
        }
        total = int(manifest["n_frames"].sum())
        bar = stack.enter_context(_progress("encode pictures", total, "frame"))
        for batch in _batches(_read_ahead(manifest, Path(root), encoder), batch_size):
            for item in batch:
                if item.problem:
                    if on_bad_item == "stop":
                        raise DataError(f"items, row {item.row}, {item.item_id!r}: {item.problem}")
                    problems.append(("items", item.row, item.item_id, item.problem))
            good = [item for item in batch if not item.problem]
            if good:
                features = encoder.encode_items([item.frames for item in good])
                lengths = [len(item.frames) for item in good]
                for name, writer in writers.items():
                    per_item = lengths if shapes[name].per_frame else None
                    writer.append([item.item_id for item in good], features[name], per_item)
                bar.update(sum(lengths))
        if len(problems) == len(manifest):
            raise DataError(f"{root}: not one of {len(manifest)} pictures could be encoded")
    return pd.DataFrame(problems, columns=["table", "row", "id", "problem"])


def extract_captions(
    captions: pd.DataFrame,
    encoder: Encoder,
    out_path: Path | str,
    attributes: Mapping[str, str | int | float],
    batch_size: int = 4096,
) -> None:
    """Encode captions and write one store, with a row for each caption_id.

    A text that several captions share is encoded once.

    Args:
        captions: caption_id, text.
        attributes: at least ``dataset`` and ``command``; the encoder's are added.
        batch_size: captions that are encoded together; only memory depends on it.
    """
    ids, texts = captions["caption_id"].tolist(), captions["text"].tolist()
    shared = {text for text, times in Counter(texts).items() if times > 1}
    done: dict[str, Features] = {}
    attributes = {**_provenance(encoder), **attributes}
    with (
        FeatureWriter(out_path, encoder.info.caption_width or 0, attributes) as writer,
        _progress("encode captions", len(ids), "caption") as bar,
    ):
        for start in range(0, len(ids), batch_size):
            batch = texts[start : start + batch_size]
            new = [text for text in dict.fromkeys(batch) if text not in done]
            encoded = dict(zip(new, encoder.encode_captions(new), strict=True))
            done.update({text: encoded[text] for text in new if text in shared})
            block = [encoded[text] if text in encoded else done[text] for text in batch]
            writer.append(ids[start : start + batch_size], np.stack(block))
            bar.update(len(batch))


def _writer(
    path: Path, shape: FeatureShape, attributes: Mapping[str, str | int | float], dtype: str
) -> FeatureWriter:
    return FeatureWriter(path, shape.shape or (), attributes, shape.per_frame, dtype)


class _Item(NamedTuple):
    row: int
    item_id: str
    frames: Frames
    problem: str


_READERS = 2
_READ_AHEAD = 32
_NO_FRAMES: Frames = np.empty((0, 0, 0, 3), dtype=np.uint8)


def _read_ahead(manifest: pd.DataFrame, root: Path, encoder: Encoder) -> Iterator[_Item]:
    """The items in order; threads read at most a few ahead of the one that is asked for."""

    def read(row: int, item_id: str, path: str, n_frames: int) -> _Item:
        try:
            frames = read_frames(root / path)
        except DataError as error:
            return _Item(row, item_id, _NO_FRAMES, str(error))
        if len(frames) != n_frames:
            problem = f"{root / path} has {len(frames)} frames, n_frames says {n_frames}"
            return _Item(row, item_id, _NO_FRAMES, problem)
        return _Item(row, item_id, encoder.prepare(frames), "")

    columns = (manifest[name].tolist() for name in ("item_id", "path", "n_frames"))
    rows = zip(range(1, len(manifest) + 1), *columns, strict=True)
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: deque[Future[_Item]] = deque()
        try:
            waiting.extend(pool.submit(read, *row) for row in islice(rows, _READ_AHEAD))
            while waiting:
                item = waiting.popleft().result()
                waiting.extend(pool.submit(read, *row) for row in islice(rows, 1))
                yield item
        finally:
            for future in waiting:
                future.cancel()


def _batches(items: Iterator[_Item], batch_size: int) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    frames = 0
    for item in items:
        if batch and frames + len(item.frames) > batch_size:
            yield batch
            batch, frames = [], 0
        batch.append(item)
        frames += len(item.frames)
    if batch:
        yield batch


def _provenance(encoder: Encoder) -> dict[str, str]:
    info = encoder.info
    return {
        "encoder": info.name,
        "revision": info.revision,
        "preprocessing": info.preprocessing,
    }


def _progress(label: str, total: int, unit: str) -> tqdm:
    return tqdm(total=total, desc=label, unit=unit, mininterval=5)
