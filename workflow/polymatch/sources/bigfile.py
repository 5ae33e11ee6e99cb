"""BigFile data sets of Dual Encoding: frames of videos, and a caption file for each split.

The layout of MSR-VTT's official split: under ``data.root`` the frames in a BigFile folder
(:mod:`polymatch.data.bigfile`) with ``video2frames.txt`` (:mod:`.video_frames`), the captions in
``TextData`` (:mod:`.caption_file`). Which file has captions of a video says which split it is in;
videos of no caption file are not used. It brings ``frames``, a ragged store, and no embeddings of
captions, which models read as words. Tables are made without the frames (MSR-VTT: 5 GB):
:func:`write_features` reads those of a few videos at a time, checks them and writes them.

Deviations: the published loader runs ``video2frames.txt``, and a video or a frame that is not there
is a KeyError while training; it never looks for NaN, nor for a video in two splits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from polymatch.data.bigfile import BigFile
from polymatch.data.features import FeatureWriter
from polymatch.errors import DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources.bigfile_videos import open_videos, video_files
from polymatch.sources.caption_file import CaptionFile
from polymatch.sources.given_arrays import given_items
from polymatch.sources.info import SourceInfo

INFO = SourceInfo(
    name="bigfile",
    title="MSR-VTT (official split) or another data set in Dual Encoding's BigFile layout",
    licence="LicenseRef-as-the-data-set",
    citation="Xu et al., MSR-VTT: A Large Video Description Dataset for Bridging Video and "
    "Language, CVPR 2016; Dong et al., Dual Encoding for Video Retrieval by Text, TPAMI 2021; or "
    "the data set and the networks that the frames were made from",
    revision="as given",
    url="https://github.com/danieljf24/hybrid_space",
)

FEATURES = ("frames",)

KIND = "sentence"

_BLOCK_BYTES = 1 << 26

Rows: TypeAlias = dict[str, NDArray[np.int64]]


def input_files(data: DataSettings) -> list[Path]:
    """Every file that is read.

    Raises:
        ConfigError: the section is missing, or two splits have one name.
        DataError: a file is missing.
    """
    return video_files(data)


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the videos and the captions of all splits, in the order of the captions' lines.

    The tables are those of :func:`polymatch.sources.embeddings.read`; NaN among a video's frames is
    told by :func:`write_features`, which reads them.

    Raises:
        ConfigError: see :func:`input_files`.
        DataError: a file is missing or broken, files do not fit each other, or a video is in two
            splits.
    """
    videos = open_videos(data)
    items = [_items(part, videos.problems) for part in videos.captions]
    captions = [_captions(part) for part in videos.captions]
    return pd.concat(items, ignore_index=True), pd.concat(captions, ignore_index=True)


def write_features(
    data: DataSettings,
    manifest: pd.DataFrame,
    captions: pd.DataFrame,
    stores: Mapping[str, Path],
    attributes: Mapping[str, str | int | float],
) -> pd.DataFrame:
    """Write the frames of the videos that are left, in the order of the manifest.

    Args:
        manifest: the checked table; videos that it lacks are left out.
        captions: not looked at: captions have no features here.
        stores: ``frames``, with the HDF5 file to write.
        attributes: at least ``encoder``, ``dataset`` and ``command``.

    Returns:
        The videos left out with ``on_bad_item: skip``: table, row (from 1), id, problem.

    Raises:
        DataError: a frame is NaN or infinite, or all frames of a video are zero; and see
            :func:`read`.
    """
    videos = open_videos(data)
    about = {"revision": "as given", "preprocessing": "made elsewhere", **attributes}
    row_of = {video: row for row, video in enumerate(manifest["item_id"])}
    problems: list[tuple[str, int, str, str]] = []

    def sound(video: str, problem: str) -> bool:
        if problem:
            found = ("items", row_of[video] + 1, video, problem)
            if data.on_bad_item == "stop":
                raise DataError("{}, row {}, {!r}: {}".format(*found))
            problems.append(found)
        return not problem

    rows = {video: videos.rows[video] for video in row_of}
    most = max(1, _BLOCK_BYTES // (4 * videos.frames.dims))
    with (
        FeatureWriter(stores["frames"], videos.frames.dims, about, ragged=True) as writer,
        tqdm(total=len(rows), desc="convert frames", unit="video", mininterval=5) as bar,
    ):
        for group in _groups(rows, most):
            _write(videos.frames, group, most, writer, sound)
            bar.update(len(group))
    return pd.DataFrame(problems, columns=["table", "row", "id", "problem"])


def _groups(rows: Rows, most: int) -> Iterator[Rows]:
    """Videos with at most ``most`` frames together; one that has more is alone."""
    group: Rows = {}
    held = 0
    for video, own in rows.items():
        if group and held + len(own) > most:
            yield group
            group, held = {}, 0
        group[video] = own
        held += len(own)
    if group:
        yield group


def _write(
    frames: BigFile,
    group: Rows,
    most: int,
    writer: FeatureWriter,
    sound: Callable[[str, str], bool],
) -> None:
    """Write the videos of a group that are sound, holding no more than ``most`` frames."""
    bounds = np.cumsum([0, *map(len, group.values())])
    rows = np.concatenate(list(group.values()))
    # One part, or several of one video, which are looked through before the first is written.
    parts = [rows[first : first + most] for first in range(0, len(rows), most)]
    flags = [_flags(frames.take(part)) for part in parts[1:]]
    block = frames.take(parts[0])
    finite, zero = np.concatenate([_flags(block), *flags], axis=1)
    kept = np.ones(len(rows), dtype=bool)
    lengths: dict[str, int] = {}
    for video, first, stop in zip(group, bounds, bounds[1:], strict=False):
        problem = ""
        if not finite[first:stop].all():
            row = int(rows[first + np.argmin(finite[first:stop])])
            problem = (
                f"frame {frames.ids[row]!r}, row {row + 1} of {frames.path}, holds NaN or "
                "infinity; make it again"
            )
        elif zero[first:stop].all():
            problem = f"its {stop - first} frames in {frames.path} are all zero; make them again"
        if sound(video, problem):
            lengths[video] = int(stop - first)
        else:
            kept[first:stop] = False
    if len(parts) == 1 and lengths:
        writer.append(list(lengths), block if kept.all() else block[kept], [*lengths.values()])
    elif lengths:
        writer.append(list(lengths), block, [len(block)])
        for part in parts[1:]:
            writer.extend(frames.take(part))


def _flags(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[2, rows]: whether a row is finite, and whether it is zero."""
    # The extremes tell both without an array of truths as long as the block.
    low, high = block.min(axis=1), block.max(axis=1)
    return np.stack([np.isfinite(low) & np.isfinite(high), (low == 0) & (high == 0)])


def _items(part: CaptionFile, problems: Mapping[str, str]) -> pd.DataFrame:
    items = given_items(part.videos, part.split)
    return items.assign(problem=[problems.get(video, "") for video in part.videos])


def _captions(part: CaptionFile) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "caption_id": part.caption_ids,
            "item_id": part.owners,
            "text": part.texts,
            "kind": KIND,
            "language": "en",
            "problem": part.problems(),
        }
    )
