"""The DAA loss of a batch of 256, forward and backward: in chunks beside all differences at once.

The whole form is the published one: B x B x B differences of the similarity and of its semantic
counterpart, their sigmoids, their sums, and autograd's way back through all of it. Scores are
spread as a trained model's are, or within a few temperatures of each other as before training,
where hardly any sigmoid is 0 or 1. All run in turn, with as many threads as stated.

    python benchmarks/daa.py [--batch 256] [--threads 2] [--rounds 5] [--published DIRECTORY]

``--published`` takes a checkout of the published repository; the class ``Loss`` of its ``model.py``
then runs in place of the form written here, less its calls for a GPU. It compares candidates of
different queries (``published`` in the table is ours doing the same).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

FORMS = ("chunks", "chunks, published", "whole")
SCORES = ("spread", "narrow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--published", type=Path)
    parser.add_argument("--memory-of", choices=FORMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read when NumPy and torch are imported
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
    if options.memory_of:
        print(extra_memory(options))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Time the forms alternately, check that they agree, and print one table."""
    memory = {name: memory_in_subprocess(name, options) for name in FORMS}
    forms = all_forms(options)
    print(
        f"batch {options.batch}, float32, {options.threads} threads, median of {options.rounds} "
        "rounds"
    )
    print("| scores | form | ms | CPU ms | extra memory (MB) | loss | whole / form (ms, CPU) |")
    print("|---|---|---|---|---|---|---|")
    for kind in SCORES:
        pair = scores(kind, options.batch)
        wall: dict[str, list[float]] = {name: [] for name in FORMS}
        cpu: dict[str, list[float]] = {name: [] for name in FORMS}
        losses = {}
        for _ in range(options.rounds):
            for name in FORMS:
                # The whole form cools the caches: each short one runs a few times, the best counts.
                repeats = []
                for _ in range(1 if name == "whole" else 5):
                    start = time.perf_counter(), time.process_time()
                    losses[name] = step(forms[name], *pair)
                    repeats.append((time.perf_counter() - start[0], time.process_time() - start[1]))
                wall[name].append(min(repeat[0] for repeat in repeats))
                cpu[name].append(min(repeat[1] for repeat in repeats))
        seconds = {name: statistics.median(values) for name, values in wall.items()}
        busy = {name: statistics.median(values) for name, values in cpu.items()}
        for name in FORMS:
            print(
                f"| {kind} | {name} | {1e3 * seconds[name]:.1f} | {1e3 * busy[name]:.1f} "
                f"| {memory[name] / 1e6:.0f} | {losses[name]:.4f} "
                f"| {seconds['whole'] / seconds[name]:.0f}, {busy['whole'] / busy[name]:.0f} |"
            )


def step(loss: Callable, similarity, semantic) -> float:
    """Loss and gradient of one batch."""
    scored = similarity.clone().requires_grad_()
    found = loss(scored, semantic)
    found.backward()
    return found.item()


def scores(kind: str, batch: int):
    """Similarity and semantic similarity of a batch, as before and after training."""
    import torch

    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(batch, batch, generator=generator)
    pairs = torch.eye(batch)
    similarity = (1.5 * drawn + 4 * pairs).sigmoid() if kind == "spread" else 0.5 + 1e-3 * drawn
    # Captions share few words, and some none.
    common = 0.3 * torch.rand(batch, batch, generator=generator) ** 3
    some = torch.rand(batch, batch, generator=generator) > 0.2
    return similarity, common * some + 0.3 * pairs


def all_forms(options: argparse.Namespace) -> dict[str, Callable]:
    """The three forms, each of similarity and semantic similarity."""
    import torch

    from polymatch.losses import daa_loss

    torch.set_num_threads(options.threads)
    return {
        "chunks": daa_loss,
        "chunks, published": lambda *pair: daa_loss(*pair, published=True),
        "whole": whole_form if options.published is None else published_form(options.published),
    }


def whole_form(similarity, semantic):
    """The loss with all differences in memory, both directions."""
    import torch

    total = 0
    for own, wished in ((similarity, semantic), (similarity.T, semantic.T)):
        others = (1 - torch.eye(len(own)))[:, None]
        ranks = []
        for matrix in (own, wished):
            exponent = ((matrix[None] - matrix[:, :, None]) / 1e-3).clamp(-50, 50)
            ranks.append(1 + (others / (1 + exponent.exp())).sum(0))
        total = total + 25 * (1 - (torch.minimum(*ranks) / torch.maximum(*ranks)).mean())
    return total


def published_form(directory: Path) -> Callable:
    """The published class, from its source without the calls that need a GPU."""
    import torch

    file = directory / "model.py"
    if not file.is_file():
        sys.exit(f"{directory}: no model.py; give a checkout of the published repository")
    source = file.read_text(encoding="utf-8").replace(".to('cuda')", "")
    start, stop = source.index("class Loss("), source.index("class SGRAF(")
    names = {"torch": torch, "nn": torch.nn}
    exec(compile(source[start:stop], str(file), "exec"), names)
    loss = names["Loss"](daa_weight=25)
    return lambda own, wished: loss.DAA(own, wished) + loss.DAA(own.t(), wished.t())


def memory_in_subprocess(name: str, options: argparse.Namespace) -> float:
    """Extra memory of one form, in bytes, alone in a fresh process."""
    command = [sys.executable, __file__, "--memory-of", name, "--batch", str(options.batch)]
    command += ["--threads", str(options.threads)]
    if options.published is not None:
        command += ["--published", str(options.published)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> int:
    """Growth of the peak resident memory by one step, in bytes."""
    import resource

    forms = all_forms(options)
    # A small batch first, so that what the first call of anything takes is not counted.
    step(forms[options.memory_of], *scores("spread", 8))
    pair = scores("spread", options.batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step(forms[options.memory_of], *pair)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


if __name__ == "__main__":
    main()
