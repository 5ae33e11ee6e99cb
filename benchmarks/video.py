"""Reading clips and encoding them: speed beside plain decoding, cores kept busy, memory.

Writes clips like MSR-VTT's (320 x 240, 10 to 30 s at 25 frames a second, H.264 with B-frames) into
a folder of its own and deletes them: half with a key frame every 12 s, as YouTube has them, half
every 0.4 s. Times are medians of alternating turns over the same clips. Share of two cores: CPU
seconds / (wall seconds x 2); on a machine that others use, CPU time a clip says more. Peak memory
is of a process of its own for each number of clips, the same files over and over; on Linux.

    python benchmarks/video.py [--clips 200] [--rounds 3] [--frames 16] [--real]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import library  # noqa: F401  (makes the library importable)
import numpy as np
import pandas as pd
import torch

from polymatch.data.videos import sample_frames
from polymatch.encoders import Encoder, EncoderInfo, FeatureShape, extract_items, load_encoder
from polymatch.encoders.efficientnet_minilm import EfficientNetMiniLM

WIDTH, HEIGHT, RATE = 320, 240, 25
KEY_FRAMES = {"12 s": 300, "0.4 s": 10}
ABOUT = {"dataset": "clips", "command": "benchmark"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--real", action="store_true", help="efficientnet_minilm too, on 40 clips")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(2)
    if given.peak_of:
        clips = sorted(given.folder.glob("*.mp4"))
        # A child is credited with what its parent held.
        Path("/proc/self/clear_refs").write_text("5")
        extract([clips[i % len(clips)] for i in range(given.peak_of)], given.frames, Cheap())
        print(peak())
        return
    with tempfile.TemporaryDirectory(prefix="video-") as name:
        clips = write(Path(name), given.clips)
        size = sum(clip.stat().st_size for clip in clips) / 1e6 / len(clips)
        print(f"{len(clips)} clips, {size:.2f} MB each; load {os.getloadavg()[0]:.1f}", flush=True)
        for label in KEY_FRAMES:
            sampling(label, [clip for clip in clips if clip.stem.endswith(label)], given)
        encoding("cheap encoder", clips, given, Cheap())
        if given.real:
            encoder = load_encoder("efficientnet_minilm", torch.device("cpu"))
            encoding("efficientnet_minilm", clips[:40], given, encoder)
        memory(Path(name), given)


def write(folder: Path, number: int) -> list[Path]:
    """Clips that pan over blocks and noise, so that they compress about as well as real ones."""
    random = np.random.default_rng(0)
    paths = []
    for clip in range(number):
        label = list(KEY_FRAMES)[clip % 2]
        paths.append(folder / f"{clip:05d} {label}.mp4")
        scene = random.integers(0, 255, (HEIGHT // 16, WIDTH // 8, 3), np.uint8)
        scene = scene.repeat(16, 0).repeat(16, 1) // 2
        scene = scene + random.integers(0, 60, scene.shape, np.uint8)
        options = {"preset": "veryfast", "g": str(KEY_FRAMES[label]), "bf": "3"}
        with av.open(str(paths[-1]), "w") as file:
            stream = file.add_stream("libx264", rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for frame in range(int(random.integers(10, 31)) * RATE):
                left = frame % (scene.shape[1] - WIDTH)
                picture = np.ascontiguousarray(scene[:, left : left + WIDTH])
                made = av.VideoFrame.from_ndarray(picture, format="rgb24")
                made.pts, made.time_base = frame, Fraction(1, RATE)
                file.mux(stream.encode(made))
            file.mux(stream.encode(None))
    return paths


def everything(path: Path, n: int) -> np.ndarray:
    """The plain form: decode all frames, convert all, pick."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack([frames[i] for i in np.linspace(0, len(frames) - 1, n).astype(int)])


def sampling(label: str, clips: Sequence[Path], given: argparse.Namespace) -> None:
    for clip in clips[:3]:
        assert np.array_equal(everything(clip, given.frames), sample_frames(clip, given.frames))
    few = clips[: max(1, len(clips) // 5)]
    forms: dict[str, tuple[int, Callable[[], None]]] = {
        "decode everything": (len(few), lambda: read(everything, few, given.frames, 1)),
        "ours, 1 reader": (len(clips), lambda: read(sample_frames, clips, given.frames, 1)),
        "ours, 2 readers": (len(clips), lambda: read(sample_frames, clips, given.frames, 2)),
    }
    print(f"key frame every {label}: {given.frames} frames a clip")
    for name, (number, seconds, share) in turns(forms, given.rounds):
        show(name, number, seconds, share)


def read(
    form: Callable[[Path, int], np.ndarray], clips: Sequence[Path], n: int, readers: int
) -> None:
    with ThreadPoolExecutor(readers) as pool:
        for _ in pool.map(lambda clip: form(clip, n).shape, clips):
            pass


def turns(
    forms: dict[str, tuple[int, Callable[[], None]]], rounds: int
) -> Iterator[tuple[str, tuple[int, float, float]]]:
    """Medians of seconds, and of the share of two cores, of alternating turns."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in forms}
    for turn in range(rounds):
        for name in list(forms)[:: 1 if turn % 2 == 0 else -1]:
            start, cpu = time.perf_counter(), time.process_time()
            forms[name][1]()
            wall = time.perf_counter() - start
            took[name].append((wall, (time.process_time() - cpu) / (2 * wall)))
    for name, times in took.items():
        seconds, shares = (statistics.median(column) for column in zip(*times, strict=True))
        yield name, (forms[name][0], seconds, shares)


def show(name: str, number: int, seconds: float, share: float) -> None:
    cpu = 2000 * share * seconds / number
    print(f"  {name:20} {number / seconds:6.1f} clips/s, {share:4.0%} of two cores", end="")
    print(f", {cpu:5.0f} ms of CPU a clip", flush=True)


class Cheap:
    """The crop and size of the real encoder, and a mean colour in the place of its network."""

    info = EncoderInfo(
        name="cheap",
        item_features={"pooled": FeatureShape((3,), False, "mean colour")},
        caption_width=3,
        joint_space=False,
        preprocessing="centre square, bicubic to 224 x 224",
        licence="none",
        citation="none",
        revision="1",
        sha256={},
    )
    prepare = EfficientNetMiniLM.prepare

    def encode_items(self, items: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        return {"pooled": np.stack([i.mean(axis=(0, 1, 2), dtype=np.float32) for i in items])}

    def encode_captions(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 3), dtype=np.float32)


def extract(clips: Sequence[Path], frames: int, encoder: Encoder, readers: int = 2) -> None:
    ids = [str(row) for row in range(len(clips))]
    manifest = pd.DataFrame({"item_id": ids, "path": list(map(str, clips)), "n_frames": frames})
    with tempfile.TemporaryDirectory(prefix="video-") as out:
        paths = {"pooled": Path(out) / "pooled.h5"}
        extract_items(manifest, out, encoder, paths, ABOUT, readers=readers)


def encoding(
    label: str, clips: Sequence[Path], given: argparse.Namespace, encoder: Encoder
) -> None:
    def prepared(clip: Path, n: int) -> np.ndarray:
        return sample_frames(clip, n, encoder.prepare)

    number = len(clips)
    forms: dict[str, tuple[int, Callable[[], None]]] = {
        "decode, crop, resize": (number, lambda: read(prepared, clips, given.frames, 2)),
        "1 reader": (number, lambda: extract(clips, given.frames, encoder, 1)),
        "2 readers": (number, lambda: extract(clips, given.frames, encoder, 2)),
    }
    print(f"extraction, {label}, {number} clips")
    for name, (number, seconds, share) in turns(forms, given.rounds):
        show(name, number, seconds, share)


def peak() -> float:
    """Most megabytes that this process held since it was asked to forget."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def memory(folder: Path, given: argparse.Namespace) -> None:
    print("peak memory of extraction, cheap encoder, 2 readers")
    for number in (given.clips // 4, given.clips, 4 * given.clips):
        command = [sys.executable, __file__, "--folder", folder, "--peak-of", str(number)]
        command += ["--frames", str(given.frames)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"  {number:5} clips {float(done.stdout):6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
