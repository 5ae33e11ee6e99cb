"""BigFile data sets in small, as Dual Encoding has them, and what the source makes of them."""

from __future__ import annotations

import numpy as np

from polymatch.data import build_manifest
from polymatch.data.frames import FrameStore
from polymatch.settings.stages import DataSettings
from polymatch.sources import bigfile, read_source

WIDTH = 5
ABOUT = {"encoder": "resnext", "dataset": "few", "command": "test"}
FEATURES = "FeatureData/resnext101-resnet152"
# The videos of each split, and how many frames each has; video9 is in no caption file.
VIDEOS = {
    "train": {"video0": 3, "video1": 1, "video2": 4},
    "val": {"video3": 2, "video4": 5},
    "test": {"video5": 1, "video6": 3},
    "": {"video9": 2},
}


def lengths(videos=VIDEOS):
    return {video: count for part in videos.values() for video, count in part.items()}


def frame_names(video, count):
    return [f"{video}_{number}" for number in range(count)]


def numbers_of(ids):
    """Features [n, F] of these frames, the same every time."""
    return np.stack([np.random.default_rng(list(i.encode())).standard_normal(WIDTH) for i in ids])


def write(root, videos=VIDEOS, captions=2, shuffled=False):
    """Write a data set; ``shuffled``: frames of a video are no neighbours in feature.bin."""
    folder, texts = root / FEATURES, root / "TextData"
    for path in (folder, texts):
        path.mkdir(parents=True, exist_ok=True)
    mapping = {video: frame_names(video, count) for video, count in lengths(videos).items()}
    ids = [frame for frames in mapping.values() for frame in frames]
    if shuffled:
        np.random.default_rng(0).shuffle(ids)
    (folder / "feature.bin").write_bytes(numbers_of(ids).astype("<f4").tobytes())
    (folder / "id.txt").write_bytes("\n".join(ids).encode("iso-8859-1"))
    (folder / "shape.txt").write_text(f"{len(ids)} {WIDTH}\n")
    (folder / "video2frames.txt").write_text(str(mapping))
    for split in ("train", "val", "test"):
        lines = [
            f"{video}#{'enc#' if number % 2 else ''}{number} a man sings about {video}, {number}\n"
            for video in videos[split]
            for number in range(captions)
        ]
        (texts / f"msrvtt10k{split}.caption.txt").write_text("".join(lines))
    return root


def data(root, section=None, **changes):
    raw = {"name": "few", "source": "bigfile", "root": str(root), "bigfile": section or {}}
    kinds = {"train_captions": ["sentence"], "test_captions": ["sentence"]}
    return DataSettings.model_validate(raw | kinds | changes)


def prepared(settings):
    return build_manifest(
        *read_source(settings), settings.root, settings.on_bad_item, pictures=False
    )


def imported(settings, folder):
    """Tables, the store of frames, and the videos that were left out as they were written."""
    tables = prepared(settings)
    stores = {"frames": folder / "frames.h5"}
    problems = bigfile.write_features(settings, tables.manifest, tables.captions, stores, ABOUT)
    return tables, FrameStore(stores["frames"]), problems
