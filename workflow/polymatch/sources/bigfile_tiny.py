"""A few videos of a BigFile data set as a data set of its own, to try the whole workflow on.

The published code has a file with one caption of each of ten training videos, and validates and
tests on these again. Here each split keeps its first videos with all of their captions, and their
frames are copied too: the result has the same layout and stays where the large one is not.
"""

from __future__ import annotations

import tempfile
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from polymatch.errors import DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources.bigfile_videos import (
    MAPPING,
    Videos,
    bigfile_settings,
    caption_paths,
    open_videos,
)
from polymatch.sources.caption_file import CaptionFile

CONFIG = "tiny.yaml"


def write_tiny(data: DataSettings, folder: Path, count: int) -> dict[str, int]:
    """Write the first ``count`` sound videos of each split into a new folder, whole or not at all.

    ``tiny.yaml`` in it is what differs in the configuration: name and root of the data set, and
    words and tags that count from their first occurrence on.

    Returns:
        The number of videos of each split; fewer than ``count`` where it has no more.

    Raises:
        ConfigError, DataError: see :func:`polymatch.sources.bigfile.read`; a split has no sound
            video, or the folder is there already.
    """
    if folder.exists():
        raise DataError(f"{folder}: is there already; delete it or take another name")
    videos = open_videos(data)
    taken = {part.split: _taken(part, videos, count) for part in videos.captions}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as partial:
        root = Path(partial) / folder.name
        _write_frames(videos, list(chain(*taken.values())), root / bigfile_settings(data).features)
        _write_captions(videos, taken, data, root)
        (root / CONFIG).write_text(yaml.safe_dump(_differing(data, folder), sort_keys=False))
        root.rename(folder)
    return {split: len(part) for split, part in taken.items()}


def _taken(part: CaptionFile, videos: Videos, count: int) -> list[str]:
    """The first videos of a split that have frames and nothing but captions with words."""
    wordless = {
        owner for owner, problem in zip(part.owners, part.problems(), strict=True) if problem
    }
    sound = [video for video in part.videos if video in videos.rows and video not in wordless]
    if not sound:
        raise DataError(
            f"{part.path}: no video in it has frames and words in all of its captions; look at "
            "data.bigfile"
        )
    return sound[:count]


def _write_frames(videos: Videos, taken: list[str], folder: Path) -> None:
    frames = videos.frames
    names = {video: [frames.ids[row] for row in videos.rows[video]] for video in taken}
    rows = list(dict.fromkeys(np.concatenate([videos.rows[video] for video in taken]).tolist()))
    folder.mkdir(parents=True)
    with (folder / "feature.bin").open("wb") as file:
        for row in rows:
            file.write(frames.take([row]).astype("<f4").tobytes())
    ids = "\n".join(frames.ids[row] for row in rows)
    (folder / "id.txt").write_bytes(ids.encode("iso-8859-1"))
    (folder / "shape.txt").write_text(f"{len(rows)} {frames.dims}\n")
    (folder / MAPPING).write_text(repr(names), encoding="utf-8")


def _write_captions(
    videos: Videos, taken: dict[str, list[str]], data: DataSettings, root: Path
) -> None:
    for part in videos.captions:
        path = root / caption_paths(data)[part.split].relative_to(data.root)
        path.parent.mkdir(exist_ok=True)
        kept = set(taken[part.split])
        lines = [
            f"{caption_id} {text}\n"
            for caption_id, owner, text in zip(
                part.caption_ids, part.owners, part.texts, strict=True
            )
            if owner in kept
        ]
        path.write_text("".join(lines), encoding="utf-8")


def _differing(data: DataSettings, folder: Path) -> dict[str, dict[str, str | int]]:
    return {
        "data": {"name": f"{data.name}_tiny", "root": folder.as_posix()},
        "words": {"min_count": 1},
        "tags": {"min_count": 1, "min_item_count": 1},
    }
