"""Features of a whole data set, streamed into stores: memory stays bounded whatever its size.

Files are decoded, cropped and resized frame by frame by threads, while the network works on those
before them; what they are ahead is bounded in bytes, since 32 clips may be 3 MB or 3 GB.

Items with sound (:mod:`polymatch.encoders.sounds`) have it read on the same pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from polymatch.data import FeatureWriter, write_table
from polymatch.data.items import read_item
from polymatch.data.sound import Wave, read_sound
from polymatch.data.video_files import may_sound
from polymatch.encoders.base import Encoder, Features, FeatureShape, Frames
from polymatch.encoders.read_ahead import read_ahead
from polymatch.encoders.sounds import HEARD, SOUND_FEATURES, add_sounds, derived_shapes
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
    rows: slice = slice(None),
    readers: int = 2,
    silent_path: Path | None = None,
) -> pd.DataFrame:
    """Encode the items of a manifest, each file read once, and write a store per feature.

    Args:
        manifest: item_id, path (relative to ``root``), n_frames (of a video: how many to sample).
        out_paths: a feature of ``encoder.info.item_features`` and the store it goes to; those
            per frame are ragged. Of an encoder that takes sound also ``audio_all`` and ``fused``.
        attributes: at least ``dataset`` and ``command``; the encoder's are added.
        batch_size: frames that are encoded together and held in memory.
        on_bad_item: ``stop`` at the first unreadable file, or ``skip`` and list them.
        dtype: of the stores of frames and regions, ``float32`` or ``float16``.
        rows: which rows of the manifest; :func:`polymatch.data.shards.gather_features` puts the
            stores of all shares together to what would have been written at once.
        readers: threads that read files; as many as cores keep them busy.
        silent_path: where to list the items without sound, as a table.

    Returns:
        The items left out: table, row (of the whole manifest, from 1), id, problem; empty if none.

    Raises:
        ConfigError: the encoder does not give a feature asked for, or the data set has no pictures.
        DataError: with ``stop``, a file is missing or broken, or a picture has other than
            ``n_frames`` frames; nothing is written then. Also if no item of the whole manifest can
            be encoded, or none has sound where sound is asked for.
    """
    shapes = _shapes(encoder, out_paths)
    share = manifest.iloc[rows]
    if share["path"].isna().any():
        raise ConfigError(
            f"encoder {encoder.info.name}: {int(share['path'].isna().sum())} of {len(share)} "
            "items have no picture to encode; if features come with the data set, set "
            "`encoder.given` to true"
        )
    sees, hears = not HEARD.issuperset(out_paths), not SOUND_FEATURES.isdisjoint(out_paths)
    read = partial(_read, Path(root), encoder, sees, hears)
    numbers = range(1, len(manifest) + 1)[rows]
    columns = (share[name].tolist() for name in ("item_id", "path", "n_frames"))
    asked = (_Row(*row) for row in zip(numbers, *columns, strict=True))
    problems: list[tuple[str, int, str, str]] = []
    silent: list[tuple[str, str]] = []
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                FeatureWriter(
                    path,
                    shapes[name].shape,
                    {**_provenance(encoder), **attributes},
                    shapes[name].per_frame,
                    dtype if name in LARGE else "float32",
                )
            )
            for name, path in out_paths.items()
        }
        total = int(share["n_frames"].sum()) if sees else len(share)
        bar = stack.enter_context(_progress("encode pictures" if sees else "encode sounds", total))
        ahead = read_ahead(read, asked, _Item.size, readers, _AHEAD_BYTES)
        for batch in _batches(ahead, batch_size):
            for item in batch:
                if item.problem:
                    if on_bad_item == "stop":
                        raise DataError(f"items, row {item.row}, {item.item_id!r}: {item.problem}")
                    problems.append(("items", item.row, item.item_id, item.problem))
            good = [item for item in batch if not item.problem]
            if good:
                _encode(good, encoder, sees, hears, writers, shapes)
                silent += [(item.item_id, item.silence) for item in good if item.silence]
                bar.update(sum(item.weight for item in good))
        if len(problems) == len(manifest):
            raise DataError(f"{root}: not one of {len(manifest)} pictures could be encoded")
        _say_silent(writers, len(silent), len(problems), len(manifest), root)
        if silent_path is not None:
            listed = pd.DataFrame(silent, columns=["item_id", "reason"], dtype="str")
            write_table(listed, silent_path, "silent")
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


class _Row(NamedTuple):
    row: int
    item_id: str
    path: str
    n_frames: int


class _Item(NamedTuple):
    row: int
    item_id: str
    frames: Frames
    wave: Wave | None
    silence: str
    problem: str

    @property
    def weight(self) -> int:
        return max(1, len(self.frames))

    def size(self) -> int:
        return self.frames.nbytes + (0 if self.wave is None else self.wave.nbytes)


LARGE = ("frames", "regions")

_AHEAD_BYTES = 1 << 28
_BATCH_BYTES = 1 << 28
_NO_FRAMES: Frames = np.empty((0, 0, 0, 3), dtype=np.uint8)


def _read(root: Path, encoder: Encoder, sees: bool, hears: bool, row: _Row) -> _Item:
    """An item's frames as the encoder wants them, and its sound; in a thread of its own."""
    path, frames, wave, silence = root / row.path, _NO_FRAMES, None, ""
    try:
        if sees:
            frames = read_item(path, row.n_frames, encoder.prepare)
        if hears:
            rate = encoder.info.sound_rate
            wave = read_sound(path, rate) if rate and may_sound(path) else None
            if wave is None:
                silence = "no audio track" if may_sound(path) else "a picture"
    except DataError as error:
        return _Item(row.row, row.item_id, _NO_FRAMES, None, "", str(error))
    return _Item(row.row, row.item_id, frames, wave, silence, "")


def _encode(
    items: list[_Item],
    encoder: Encoder,
    sees: bool,
    hears: bool,
    writers: Mapping[str, FeatureWriter],
    shapes: Mapping[str, FeatureShape],
) -> None:
    """Encode a batch and append it to every store."""
    features = encoder.encode_items([item.frames for item in items]) if sees else {}
    if hears:
        features = add_sounds(features, encoder, [item.wave for item in items])
    ids, lengths = [item.item_id for item in items], [len(item.frames) for item in items]
    heard = [item.item_id for item in items if item.wave is not None]
    for name, writer in writers.items():
        of = heard if name == "audio" else ids
        if of:
            writer.append(of, features[name], lengths if shapes[name].per_frame else None)


def _shapes(encoder: Encoder, wanted: Iterable[str]) -> Mapping[str, FeatureShape]:
    shapes = {**encoder.info.item_features, **derived_shapes(encoder)}
    for name in wanted:
        if name not in shapes:
            raise ConfigError(
                f"feature {name!r}: encoder {encoder.info.name} gives only {', '.join(shapes)}"
            )
    return shapes


def _say_silent(
    writers: Mapping[str, FeatureWriter], silent: int, left_out: int, total: int, root: Path | str
) -> None:
    if "audio" in writers:
        writers["audio"].describe(leaves_out="items without sound")
    if "audio_all" in writers:
        writers["audio_all"].describe(silent=silent)
    if silent and silent + left_out == total:
        raise DataError(
            f"{root}: not one of {total} items has sound; leave out the features of sound, or "
            "give files with their audio tracks"
        )


def _batches(items: Iterator[_Item], batch_size: int) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    weight, size = 0, 0
    for item in items:
        if batch and (weight + item.weight > batch_size or size + item.size() > _BATCH_BYTES):
            yield batch
            batch, weight, size = [], 0, 0
        batch.append(item)
        weight += item.weight
        size += item.size()
    if batch:
        yield batch


def _provenance(encoder: Encoder) -> dict[str, str]:
    info = encoder.info
    return {
        "encoder": info.name,
        "revision": info.revision,
        "preprocessing": info.preprocessing,
    }


def _progress(label: str, total: int, unit: str = "frame") -> tqdm:
    return tqdm(total=total, desc=label, unit=unit, mininterval=5)
