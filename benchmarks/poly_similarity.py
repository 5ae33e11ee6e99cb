"""Similarity by a polynomial surrogate, 1,000 x 1,000 at width 1,024: products beside broadcasting.

The broadcast form is the published one: differences and variances of every pair in every dimension,
256 rows at a time, then the powers of both moments stacked and summed. Beside both stands the plain
product of normalised embeddings. All run in turn, with as many threads as stated.

    python benchmarks/poly_similarity.py [--threads 2] [--rounds 5] [--published DIRECTORY]

``--published`` takes a checkout of the published repository; its function for this (in
``measure_latency_memory_variance.py``) then runs in place of the form written here; it wants as
many captions as items.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

FORMS = ("cosine", "products", "broadcast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--captions", type=int, default=1000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--degree", type=int, default=4)
    parser.add_argument("--scale", type=float, default=0.1)
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
    sides, forms = prepare(options)
    wall: dict[str, list[float]] = {name: [] for name in FORMS}
    cpu: dict[str, list[float]] = {name: [] for name in FORMS}
    results = {}
    for _ in range(options.rounds):
        for name in FORMS:
            # The slow form cools the caches: each short one runs a few times, the best counts.
            repeats = []
            for _ in range(1 if name == "broadcast" else 7):
                start = time.perf_counter(), time.process_time()
                results[name] = forms[name]()
                repeats.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            wall[name].append(min(repeat[0] for repeat in repeats))
            cpu[name].append(min(repeat[1] for repeat in repeats))
    seconds = {name: statistics.median(values) for name, values in wall.items()}
    judge = in_float64(sides, options)
    print(
        f"{options.items} x {options.captions}, width {options.width}, degree {options.degree}, "
        f"{options.threads} threads, median of {options.rounds} rounds"
    )
    print("| form | ms | CPU ms | extra memory (MB) | largest logit error |")
    print("|---|---|---|---|---|")
    for name in FORMS:
        error = "-"
        if name != "cosine":
            error = f"{float((results[name][: len(judge)] - judge).abs().max()):.1e}"
        print(
            f"| {name} | {1e3 * seconds[name]:.1f} | {1e3 * statistics.median(cpu[name]):.1f} "
            f"| {memory[name] / 1e6:.0f} | {error} |"
        )
    print(
        f"broadcast / products: {seconds['broadcast'] / seconds['products']:.0f}; "
        f"products / cosine: {seconds['products'] / seconds['cosine']:.1f}"
    )


def prepare(options: argparse.Namespace) -> tuple[list, dict[str, Callable]]:
    """Return the Gaussians and the three forms, each a call without arguments."""
    import torch

    from polymatch.surrogate import poly_similarity

    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    sides = []
    for rows in (options.items, options.captions):
        drawn = torch.randn((2, rows, options.width), generator=generator)
        sides += [torch.nn.functional.normalize(drawn[0] + 0.5, dim=1), 0.5 * drawn[1] - 4]
    fitted = surrogate(options)
    forms = {
        "cosine": lambda: (
            torch.nn.functional.normalize(sides[0], dim=1)
            @ torch.nn.functional.normalize(sides[2], dim=1).T
        ),
        "products": lambda: poly_similarity(*sides, fitted),
        "broadcast": broadcast_form(sides, fitted, options.published),
    }
    return sides, forms


def surrogate(options: argparse.Namespace):
    """A surrogate of the ``domain`` on raw moments, as the published code can use it."""
    import numpy as np

    from polymatch.surrogate import PolynomialSurrogate, build_teacher

    one = np.eye(1, options.width)
    teacher = build_teacher(
        one,
        one,
        source="domain",
        estimator="gamma",
        scale=options.scale,
        bounds=(-5, -2),
        pairs=20_000,
        progress=False,
    )
    # Hardly any ridge: on raw moments the usual one would flatten the fit, and prove nothing.
    return PolynomialSurrogate.fit(
        teacher.ed, teacher.vd, teacher.probability, options.degree, alpha=1e-12, published=True
    )


def broadcast_form(sides: list, fitted, published: Path | None) -> Callable:
    """Return the published function, or the same algorithm written here."""
    import torch

    coefficients = torch.tensor(fitted.coefficients, dtype=torch.float32)
    if published is not None:
        module = published_module(published, "measure_latency_memory_variance")
        theirs = module.PolySurrogate(fitted.degree, coefficients, fitted.bias)
        return lambda: module._poly_similarity_chunked(*sides, theirs, chunk_size=256)

    def similarity():
        mu_a, logvar_a, mu_b, logvar_b = sides
        width = mu_a.shape[1]
        rows = []
        for mu, logvar in zip(mu_a.split(256), logvar_a.split(256), strict=True):
            variance = logvar.exp()[:, None] + logvar_b.exp()[None]
            square = (mu[:, None] - mu_b[None]) ** 2
            ed = (square.sum(-1) + variance.sum(-1)) / width
            spread = 2 * (variance**2).sum(-1) + 4 * (square * variance).sum(-1)
            rows.append(powers(ed, spread / width**2) @ coefficients + fitted.bias)
        return torch.cat(rows)

    def powers(ed, vd):
        degree = fitted.degree
        terms = [ed ** (t - j) * vd**j for t in range(1, degree + 1) for j in range(t + 1)]
        return torch.stack(terms, dim=-1)

    return similarity


def in_float64(sides: list, options: argparse.Namespace):
    """The first rows by the definition, in float64 throughout."""
    import torch

    mu_a, logvar_a, mu_b, logvar_b = (side.double() for side in sides)
    fitted = surrogate(options)
    rows = []
    for mu, logvar in zip(mu_a[:40], logvar_a[:40], strict=True):
        variance = logvar.exp() + logvar_b.exp()
        square = (mu - mu_b) ** 2
        ed = (square + variance).sum(1) / options.width
        vd = (2 * variance**2 + 4 * square * variance).sum(1) / options.width**2
        rows.append(fitted.logits(ed, vd))
    return torch.stack(rows)


def published_module(directory: Path, name: str) -> ModuleType:
    """Import one file of a checkout without putting the rest on the path."""
    spec = importlib.util.spec_from_file_location(name, directory / f"{name}.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{directory}: no {name}.py; give a checkout of the published repository")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def memory_in_subprocess(name: str, options: argparse.Namespace) -> int:
    """Measure a form's peak memory in a process of its own."""
    arguments = [sys.executable, __file__, "--memory-of", name]
    for option in ("items", "captions", "width", "degree", "threads"):
        arguments += [f"--{option}", str(getattr(options, option))]
    if options.published is not None:
        arguments += ["--published", str(options.published)]
    return int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> int:
    """Return how many bytes a form takes at its peak beside its inputs (Linux)."""
    small = argparse.Namespace(**{**vars(options), "items": 300, "captions": 300, "width": 64})
    prepare(small)[1][options.memory_of]()  # loads the libraries' own buffers
    _, forms = prepare(options)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmHWM")
    kept = forms[options.memory_of]()
    assert len(kept) == options.items
    return resident("VmHWM") - before


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main()
