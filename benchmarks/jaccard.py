"""Jaccard similarity of tag probabilities: in blocks beside all minima and maxima at once.

The whole form is the published one: it holds N x M x D minima and as many maxima, and autograd both
for its way back. Also torch.cdist, since the sum of minima is half of sum(x) + sum(y) - L1. All run
in turn, with as many threads as stated: similarity alone, and loss and gradient of a batch.

    python benchmarks/jaccard.py [--items 500] [--captions 5000] [--threads 2] [--published FOLDER]

``--published`` takes a folder of the published code; the function of its ``measure.py`` then runs
in place of the form written here.
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
from types import ModuleType

FORMS = ("blocks", "cdist", "whole")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = {"items": 500, "captions": 5000, "tags": 512, "batch": 128}
    for name, default in {**defaults, "threads": 2, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--published", type=Path)
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
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
    print(
        f"{options.tags} tags, float32, {options.threads} threads, median of {options.rounds} "
        "alternating rounds"
    )
    print("| work | form | ms | CPU ms | extra memory (MB) | largest error | whole / form |")
    print("|---|---|---|---|---|---|---|")
    forms = all_forms(options)
    for work in ("similarity", "gradient"):
        run, given = task(work, options)
        memory = {name: memory_in_subprocess(name, work, options) for name in FORMS}
        wall: dict[str, list[float]] = {name: [] for name in FORMS}
        cpu: dict[str, list[float]] = {name: [] for name in FORMS}
        found = {}
        for _ in range(options.rounds):
            for name in FORMS:
                # The whole form cools the caches: each short one runs a few times, the best counts.
                repeats = []
                for _ in range(1 if name == "whole" else 3):
                    start = time.perf_counter(), time.process_time()
                    found[name] = run(forms[name], *given)
                    repeats.append((time.perf_counter() - start[0], time.process_time() - start[1]))
                wall[name].append(min(repeat[0] for repeat in repeats))
                cpu[name].append(min(repeat[1] for repeat in repeats))
        few = [side.double() for side in given]
        if work == "similarity":
            # All of it in float64 would take 20 GB: some columns tell as much.
            few[1] = few[1][:100]
            found = {name: matrix[:, :100] for name, matrix in found.items()}
        right = run(forms["whole"], *few)
        seconds = {name: statistics.median(values) for name, values in wall.items()}
        busy = {name: statistics.median(values) for name, values in cpu.items()}
        for name in FORMS:
            error = float((found[name].double() - right).abs().max())
            print(
                f"| {work} {len(given[0])} x {len(given[1])} | {name} | {1e3 * seconds[name]:.1f} "
                f"| {1e3 * busy[name]:.1f} | {memory[name] / 1e6:.0f} | {error:.1e} "
                f"| {seconds['whole'] / seconds[name]:.1f}, CPU {busy['whole'] / busy[name]:.1f} |",
                flush=True,
            )


def task(work: str, options: argparse.Namespace) -> tuple[Callable, list]:
    """What is timed, of a form and two matrices, and these."""
    import torch

    sizes = (options.items, options.captions)
    if work == "gradient":
        sizes = (options.batch, options.batch)
    generator = torch.Generator().manual_seed(0)
    # As a trained model gives them: most tags are unlikely.
    given = [(2 * torch.randn(n, options.tags, generator=generator) - 2).sigmoid() for n in sizes]

    def similarity(form: Callable, x, y):
        with torch.inference_mode():
            return form(x, y)

    def gradient(form: Callable, x, y):
        x, y = (side.clone().requires_grad_() for side in (x, y))
        form(x, y).diagonal().sum().backward()
        return torch.cat([x.grad, y.grad])

    return (similarity if work == "similarity" else gradient), given


def all_forms(options: argparse.Namespace) -> dict[str, Callable]:
    """The three forms, each of two matrices."""
    import torch

    from polymatch.models.dual_encoding import jaccard_similarity

    torch.set_num_threads(options.threads)

    def by_distance(x, y):
        sums, distances = x.sum(1)[:, None] + y.sum(1), torch.cdist(x, y, p=1)
        return (sums - distances) / (sums + distances)

    def whole(x, y):
        pairs = torch.broadcast_tensors(x[:, None], y[None])
        return torch.minimum(*pairs).sum(-1) / torch.maximum(*pairs).sum(-1)

    theirs = whole if options.published is None else published_form(options.published)
    return {"blocks": jaccard_similarity, "cdist": by_distance, "whole": theirs}


def published_form(directory: Path) -> Callable:
    """The published function."""
    file = directory / "measure.py"
    if not file.is_file():
        sys.exit(f"{directory}: no measure.py; give a folder of the published code")
    sys.modules["utils"] = ModuleType("utils")  # which it only needs for the cosine
    module = ModuleType("measure")
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), module.__dict__)
    return module.jaccard_similarity


def memory_in_subprocess(name: str, work: str, options: argparse.Namespace) -> float:
    """Extra memory of one form, in bytes, alone in a fresh process."""
    command = [sys.executable, __file__, "--memory-of", name, work]
    for option in ("items", "captions", "tags", "batch", "threads"):
        command += [f"--{option}", str(getattr(options, option))]
    if options.published is not None:
        command += ["--published", str(options.published)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> int:
    """Growth of the peak resident memory by one run, in bytes, its result included."""
    import resource

    name, work = options.memory_of
    form = all_forms(options)[name]
    run, given = task(work, options)
    # A small one first, so that what the first call of anything takes is not counted.
    run(form, *(side[:4] for side in given))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(form, *given)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


if __name__ == "__main__":
    main()
