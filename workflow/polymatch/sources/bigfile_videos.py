"""A BigFile data set, opened: which videos its captions name, and where their frames lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.data.bigfile import BigFile, bigfile_paths
from polymatch.errors import ConfigError, DataError
from polymatch.settings.bigfile import BigfileSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources.caption_file import CaptionFile, read_caption_file
from polymatch.sources.given_arrays import names_of_splits, refuse_shared_ids
from polymatch.sources.video_frames import read_video_frames

MAPPING = "video2frames.txt"


@dataclass(frozen=True)
class Videos:
    """What the files hold, checked but for the numbers themselves.

    Attributes:
        frames: all frames, of whatever video.
        captions: those of each split.
        rows: video -> the rows [L] of its frames, in its order; of videos that have captions and
            nothing wrong with them.
        problems: video -> what is wrong with it; of the others that have captions.
    """

    frames: BigFile
    captions: list[CaptionFile]
    rows: dict[str, NDArray[np.int64]]
    problems: dict[str, str]


def bigfile_settings(data: DataSettings) -> BigfileSettings:
    """The source's own section; ConfigError if it is missing."""
    if data.bigfile is None:
        raise ConfigError(
            "data.bigfile: is missing; source 'bigfile' needs it, if only as `bigfile: {}`"
        )
    return data.bigfile


def caption_paths(data: DataSettings) -> dict[str, Path]:
    """The caption file of each split; ConfigError if two are one."""
    settings = bigfile_settings(data)
    names = {"train": settings.train, "val": settings.val, "test": settings.test}
    return {
        split: Path(data.root) / "TextData" / f"{name}.caption.txt"
        for split, name in names_of_splits("data.bigfile", names).items()
    }


def video_files(data: DataSettings) -> list[Path]:
    """Every file that is read.

    Raises:
        ConfigError: see :func:`bigfile_settings` and :func:`caption_paths`.
        DataError: a file is missing.
    """
    captions = caption_paths(data)
    folder = Path(data.root) / bigfile_settings(data).features
    mapping = folder / MAPPING
    files = [*bigfile_paths(folder), mapping, *captions.values()]
    places = {mapping: "features"} | {path: split for split, path in captions.items()}
    for path, key in places.items():
        if not path.is_file():
            raise DataError(
                f"{path}: no such file (data.bigfile.{key}); Dual Encoding's layout is FeatureData/"
                f"NAME with {MAPPING} beside feature.bin, and TextData/NAME.caption.txt"
            )
    return files


def open_videos(data: DataSettings) -> Videos:
    """Read everything but the frames themselves.

    Raises:
        ConfigError, DataError: see :func:`video_files`; files are broken or do not fit each other,
            or a video is in two splits.
    """
    video_files(data)
    captions = [read_caption_file(path, split) for split, path in caption_paths(data).items()]
    refuse_shared_ids([(part.path, part.videos) for part in captions])
    frames = BigFile.open(Path(data.root) / bigfile_settings(data).features)
    part_of = {video: number for number, part in enumerate(captions) for video in part.videos}
    rows: dict[str, NDArray[np.int64]] = {}
    problems: dict[str, str] = {}
    mapping = frames.folder / MAPPING
    users = np.full(len(frames), -1)  # the split, by its number, that each frame is used in
    for video, names in read_video_frames(mapping):
        if video not in part_of:
            continue
        problems[video] = _absence(mapping, names, frames)
        if problems[video]:
            continue
        own = frames.rows_of(names)
        elsewhere = own[(users[own] >= 0) & (users[own] != part_of[video])]
        if len(elsewhere):
            problems[video] = (
                f"shares frame {frames.ids[elsewhere[0]]!r} with a video of "
                f"{captions[users[elsewhere[0]]].split}, so what is tested would be trained on; "
                f"correct {mapping}"
            )
            continue
        users[own] = part_of[video]
        rows[video] = own
    for video in part_of.keys() - problems.keys():
        problems[video] = (
            f"is in {captions[part_of[video]].path}, but not in {mapping}; add its frames or take "
            "its captions out"
        )
    return Videos(frames, captions, rows, {v: told for v, told in problems.items() if told})


def _absence(mapping: Path, names: list[str], frames: BigFile) -> str:
    """What a video lacks, or nothing."""
    if not names:
        return f"has no frames in {mapping}; add them or take its captions out"
    absent = [name for name in names if name not in frames]
    if absent:
        return (
            f"{len(absent)} of its {len(names)} frames in {mapping} are not in id.txt, e.g. "
            f"{absent[0]!r}; add their rows or take them out"
        )
    return ""
