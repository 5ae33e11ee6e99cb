"""A training epoch on COCO-sized features: streamed from disk beside data that is in memory.

Writes two stores of random features (566,747 captions x 4,096 and 113,287 items x 1,152: 9.8 GB)
into a folder of its own under --folder, trains an entry of a config (SigLIP's head and loss of
config/coco_encoded.yaml) for one epoch from each loader, turn by turn, and deletes them. Peak
memory is of a process of its own that only streams, without the page cache, which the kernel takes
back when it needs it.      python benchmarks/loader.py --folder /somewhere/with/10GB [--threads 2]
[--rounds 1]
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import library  # noqa: F401  (makes the library importable)
import numpy as np
import torch
import yaml
from torch import nn

from polymatch.data.features import FeatureStore, FeatureWriter
from polymatch.data.splits import StoredTrainingSet, TrainingSet
from polymatch.models import build_model
from polymatch.settings.config import load_config
from polymatch.training.streamed import make_batches

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")
GB = 1e9
TURNS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a disk with 10 GB free")
    parser.add_argument("--captions", type=int, default=566_747)
    parser.add_argument("--items", type=int, default=113_287)
    parser.add_argument("--widths", type=int, nargs=2, default=[1152, 4096])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--config", type=Path, default=ROOT / "config/coco_encoded.yaml")
    parser.add_argument("--model", default="siglip_learnt", help="entry of the config")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)  # as the training loop does
    if given.peak_of:
        print(*streamed_peak(given, Path(given.peak_of)))
        return
    folder = Path(tempfile.mkdtemp(prefix="loader-", dir=given.folder))
    try:
        write(given, folder)
        compare(given, folder)
    finally:
        shutil.rmtree(folder)


def write(given: argparse.Namespace, folder: Path) -> None:
    """Write both stores in blocks, so that they need no memory themselves."""
    random = np.random.default_rng(0)
    about = dict.fromkeys(("encoder", "revision", "preprocessing", "dataset", "command"), "random")
    sizes = {"items": given.items, "captions": given.captions}
    for (name, rows), width in zip(sizes.items(), given.widths, strict=True):
        with FeatureWriter(folder / f"{name}.h5", width, about) as writer:
            for start in range(0, rows, 4096):
                ids = [f"{name}{row}" for row in range(start, min(start + 4096, rows))]
                writer.append(ids, random.standard_normal((len(ids), width), np.float32))


def stored_set(given: argparse.Namespace, folder: Path) -> StoredTrainingSet:
    """The training set in the stores: captions of one item are neighbours, as COCO's are."""
    captions = np.arange(given.captions)
    items = captions * given.items // given.captions
    stores = FeatureStore(folder / "items.h5"), FeatureStore(folder / "captions.h5")
    return StoredTrainingSet(
        *stores, np.arange(given.items), captions, items, captions, given.memory_mb
    )


def head(given: argparse.Namespace) -> tuple[list[nn.Parameter], Callable]:
    """The parameters of a head and its loss of a batch."""
    torch.manual_seed(0)
    entry = load_config(yaml.safe_load(given.config.read_text())).model_entry(given.model)
    model = build_model(entry, *given.widths)
    loss = importlib.import_module(entry.loss_module).TrainingLoss(model)
    return [*model.parameters(), *loss.parameters()], lambda batch: loss(model, batch)["loss"]


class Training:
    """One epoch of a head from one loader, in as many turns as one likes."""

    def __init__(self, given: argparse.Namespace, data: TrainingSet | StoredTrainingSet) -> None:
        self.parameters, self.loss_of = head(given)
        self.optimiser = torch.optim.AdamW(self.parameters, lr=1e-4)
        batches = make_batches(data, given.batch, CPU)
        self.batches, self.length = batches.epoch(torch.Generator().manual_seed(0)), len(batches)
        self.seconds = self.cpu_seconds = 0.0

    def turn(self, count: int) -> None:
        """Train on the next ``count`` batches, and time it."""
        start, cpu_start = time.perf_counter(), time.process_time()
        for batch in islice(self.batches, count):
            loss = self.loss_of(batch)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.seconds += time.perf_counter() - start
        self.cpu_seconds += time.process_time() - cpu_start


def compare(given: argparse.Namespace, folder: Path) -> None:
    stored = stored_set(given, folder)
    size = stored.nbytes / GB
    print(
        f"{given.captions} captions x {given.widths[1]}, {given.items} items x {given.widths[0]}: "
        f"{size:.1f} GB; batches of {given.batch}, {given.threads} threads, "
        f"median of {given.rounds} epochs in {TURNS} alternating turns",
        flush=True,
    )
    # Before the data is in memory: the kernel credits a child with what its parent holds.
    base, peak = streamed_in_subprocess(folder)
    forms = {"streamed": stored, "in memory": stored.load()}
    epochs: list[dict[str, Training]] = []
    for _ in range(given.rounds):
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        epochs.append(alternate(given, forms))
    median = {name: statistics.median(epoch[name].seconds for epoch in epochs) for name in forms}
    for name, seconds in median.items():
        cpu = statistics.median(epoch[name].cpu_seconds for epoch in epochs)
        print(f"{name:10} {seconds:7.1f} s an epoch, {size / seconds:.2f} GB/s, {cpu:.1f} CPU s")
    print(f"ratio      {median['streamed'] / median['in memory']:7.2f}")
    print(
        f"peak memory of a process that streams: {peak:.0f} MB, {peak - base:.0f} beyond libraries"
    )


def alternate(
    given: argparse.Namespace, forms: dict[str, TrainingSet | StoredTrainingSet]
) -> dict[str, Training]:
    """An epoch of each form, a turn after the other, so that another load hits both alike.

    While the in-memory form has its turn, the streamed one reads at most a pool ahead: a small part
    of a turn.
    """
    trainings = {name: Training(given, data) for name, data in forms.items()}
    length = max(training.length for training in trainings.values())
    for turn in range(TURNS):
        for name in list(trainings)[:: 1 if turn % 2 == 0 else -1]:
            trainings[name].turn(-(-length // TURNS))
    return trainings


def streamed_in_subprocess(folder: Path) -> tuple[float, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--peak-of", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    base, peak = map(float, done.stdout.split())
    return base, peak


def streamed_peak(given: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Peak resident MB before anything is read, and after a streamed epoch."""
    before = resident_peak()
    training = Training(given, stored_set(given, folder))
    training.turn(training.length)
    return before, resident_peak()


def resident_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
