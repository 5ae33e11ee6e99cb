"""BigFile features into a ragged store, beside a plain copy of them.

Writes a data set of random features in Dual Encoding's layout (a tenth of MSR-VTT: 1,000 videos of
about 30 frames x 4,096, 0.5 GB) into a folder of its own under --folder, converts it and copies it
with cp, turn by turn, and deletes all of it. A turn ends when what it wrote is on the disk. Peak
memory is of a process of its own that only converts, without the page cache, which the kernel takes
back when it needs it. MSR-VTT's size, for which 15 GB must be free:

    python benchmarks/bigfile.py --folder /somewhere --videos 10000 [--shuffled] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import library  # noqa: F401  (makes the library importable)
import numpy as np

from polymatch.settings.stages import DataSettings
from polymatch.sources import bigfile

FEATURES = "FeatureData/random"
SPLITS = {"train": 0.65, "val": 0.7, "test": 1.0}
ABOUT = {"encoder": "random", "dataset": "random", "command": "benchmark"}
GB = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="three times the size free")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument(
        "--frames", type=int, default=30, help="mean number; half to one and a half"
    )
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--shuffled", action="store_true", help="no two frames are neighbours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak_of:
        before = resident_peak()
        convert(given.peak_of)
        print(before, resident_peak())
        return
    folder = Path(tempfile.mkdtemp(prefix="bigfile-", dir=given.folder))
    try:
        write(given, folder)
        compare(given, folder)
    finally:
        shutil.rmtree(folder)


def write(given: argparse.Namespace, folder: Path) -> None:
    """Write features in blocks, so that they need no memory themselves, and a caption a video."""
    random = np.random.default_rng(0)
    counts = random.integers(
        given.frames // 2, given.frames + (given.frames + 1) // 2, given.videos
    )
    mapping = {f"video{v}": [f"video{v}_{f}" for f in range(n)] for v, n in enumerate(counts)}
    ids = [frame for frames in mapping.values() for frame in frames]
    if given.shuffled:
        random.shuffle(ids)
    below, texts = folder / FEATURES, folder / "TextData"
    below.mkdir(parents=True)
    texts.mkdir()
    with (below / "feature.bin").open("wb") as file:
        for start in range(0, len(ids), 256):  # A child is credited with what its parent holds.
            rows = min(256, len(ids) - start)
            file.write(random.standard_normal((rows, given.width), np.float32).tobytes())
    (below / "id.txt").write_text("\n".join(ids))
    (below / "shape.txt").write_text(f"{len(ids)} {given.width}")
    (below / "video2frames.txt").write_text(str(mapping))
    videos, first = list(mapping), 0
    for split, share in SPLITS.items():
        stop = round(share * given.videos)
        lines = [f"{video}#0 a man sings\n" for video in videos[first:stop]]
        (texts / f"{split}.caption.txt").write_text("".join(lines))
        first = stop
    os.sync()


def convert(folder: Path) -> None:
    """What the stage of the workflow does."""
    names = {split: split for split in SPLITS}
    data = DataSettings.model_validate(
        {
            "source": "bigfile",
            "root": str(folder),
            "bigfile": {"features": FEATURES, **names},
        }
    )
    items, captions = bigfile.read(data)
    bigfile.write_features(data, items, captions, {"frames": folder / "frames.h5"}, ABOUT)


def copy(folder: Path) -> None:
    subprocess.run(["cp", folder / FEATURES / "feature.bin", folder / "copy.bin"], check=True)


def compare(given: argparse.Namespace, folder: Path) -> None:
    size = (folder / FEATURES / "feature.bin").stat().st_size / GB
    print(
        f"{given.videos} videos, {size:.2f} GB, "
        f"{'shuffled frames' if given.shuffled else 'frames of a video beside each other'}; "
        f"median of {given.rounds} alternating turns, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    command = [sys.executable, __file__, "--folder", folder, "--peak-of", folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    base, peak = map(float, done.stdout.split())
    forms = {"convert": (convert, "frames.h5"), "cp": (copy, "copy.bin")}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(given.rounds):
        for name in list(forms)[:: 1 if turn % 2 == 0 else -1]:
            form, output = forms[name]
            (folder / output).unlink(missing_ok=True)
            seconds[name].append(timed(form, folder, folder / output))
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name, took in median.items():
        print(f"{name:8} {took:6.2f} s, {size / took:.2f} GB/s")
    print(f"ratio    {median['convert'] / median['cp']:6.2f}")
    print(f"peak memory of converting: {peak:.0f} MB, {peak - base:.0f} beyond libraries")


def timed(form: Callable[[Path], None], folder: Path, output: Path) -> float:
    start = time.perf_counter()
    form(folder)
    with output.open("rb+") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


def resident_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
