"""Training on MSR-VTT-sized frames from disk: what it waits for, how fast it is read, peak memory.

Writes a store of random frames (6,513 videos x about 30 x 4,096: 3.2 GB) and one of words (20
captions a video) into a folder of its own under --folder, and deletes them. A first epoch is only
read, batch after batch. Then Dual Encoding++ in its published sizes is trained for some batches, in
little memory, so that they come from several pools; how long it waited for batches after the first
one is told. Files are read from the disk, not from the page cache, where the kernel lets them be
dropped from it.

    python benchmarks/frames.py --folder /somewhere/with/4GB [--steps 24] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from itertools import islice
from pathlib import Path

import library  # noqa: F401  (makes the library importable)
import numpy as np
import torch

from polymatch.data.feature_writer import FeatureWriter
from polymatch.data.frames import FrameStore
from polymatch.data.splits import StoredTrainingSet
from polymatch.data.words import WordStore
from polymatch.device import pick_device
from polymatch.losses.dual_encoding import TrainingLoss
from polymatch.models import build_model
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.training.streamed import StreamedBatches

ABOUT = dict.fromkeys(("encoder", "revision", "preprocessing", "dataset", "command"), "random")
FRAMES, WIDTH, WORDS, TAGS, VOCABULARY = (20, 41), 4096, (5, 16), 512, 7_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a disk with 4 GB free")
    parser.add_argument("--videos", type=int, default=6_513)
    parser.add_argument("--captions", type=int, default=20, help="of each video")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--memory-mb", type=int, default=1024, help="of the epoch that is read")
    parser.add_argument("--train-memory-mb", type=int, default=256, help="of the one trained on")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    folder = Path(tempfile.mkdtemp(prefix="frames-", dir=given.folder))
    try:
        write(given, folder)
        read(given, folder)
        train(given, folder)
    finally:
        shutil.rmtree(folder)


def write(given: argparse.Namespace, folder: Path) -> None:
    """Write both stores, video by video."""
    random = np.random.default_rng(0)
    with FeatureWriter(folder / "frames.h5", WIDTH, ABOUT, ragged=True) as writer:
        for video in range(given.videos):
            frames = random.standard_normal((random.integers(*FRAMES), WIDTH), np.float32)
            writer.append([f"v{video}"], frames, [len(frames)])
    about = {**ABOUT, "vocabulary_size": VOCABULARY}
    with FeatureWriter(folder / "words.h5", (), about, ragged=True, dtype="int32") as writer:
        captions = given.videos * given.captions
        lengths = random.integers(*WORDS, captions)
        words = random.integers(4, VOCABULARY, lengths.sum())
        writer.append([f"c{caption}" for caption in range(captions)], words, list(lengths))


def batches(given: argparse.Namespace, folder: Path, memory_mb: int) -> StreamedBatches:
    """Batches of all captions, streamed; those of a video are neighbours."""
    captions = np.arange(given.videos * given.captions)
    items = captions // given.captions
    random = np.random.default_rng(1)
    concepts = (random.random((given.videos, TAGS)) < 0.02).astype(np.float32)
    frames, words = FrameStore(folder / "frames.h5"), WordStore(folder / "words.h5")
    with (folder / "frames.h5").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    data = StoredTrainingSet(
        frames,
        words,
        np.arange(given.videos),
        captions,
        items,
        captions,
        memory_mb=memory_mb,
        concepts=concepts,
    )
    return StreamedBatches(data, given.batch, pick_device(given.device))


def read(given: argparse.Namespace, folder: Path) -> None:
    """An epoch in which nothing is done with the batches."""
    before = resident_peak()
    loader = batches(given, folder, given.memory_mb)
    start = time.perf_counter()
    for _ in loader.epoch(torch.Generator().manual_seed(0)):
        pass
    seconds, size = time.perf_counter() - start, loader.data.nbytes / 1e9
    print(
        f"{given.videos} videos, {len(loader.pairs)} captions: {size:.1f} GB read in "
        f"{seconds:.1f} s ({size / seconds:.2f} GB/s), {1000 * seconds / len(loader):.1f} ms a "
        f"batch of {given.batch}; with {given.memory_mb} MB to hold, the process takes "
        f"{resident_peak() - before:.0f} MB more",
        flush=True,
    )


def train(given: argparse.Namespace, folder: Path) -> None:
    """Some batches of a training, from several pools."""
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # as the training loop does
    settings = DualEncodingModelSettings(family="dual_encoding")
    loader = batches(given, folder, given.train_memory_mb)
    model = build_model(settings, *loader.data.widths).to(loader.device)
    loss_of = TrainingLoss(model).to(loader.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    first, start = None, time.perf_counter()
    for batch in islice(loader.epoch(torch.Generator().manual_seed(0)), given.steps):
        if first is None:
            first, start = loader.waited, time.perf_counter()
        loss = loss_of(model, batch)["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        float(loss.detach())  # waits for the device
    seconds = time.perf_counter() - start
    pools = -(-given.steps * given.batch // loader.pool_rows)
    print(
        f"training on {loader.device}, {given.threads} threads: {given.steps} batches from {pools} "
        f"pools in {seconds:.1f} s, {1000 * seconds / given.steps:.0f} ms a batch; waited for "
        f"batches {loader.waited - (first or 0):.3f} s, and {first or 0:.2f} s for the first one"
    )


def resident_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
