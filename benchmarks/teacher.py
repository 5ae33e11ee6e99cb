"""A teacher of 300,000 pairs at width 1,024: batched estimators beside the published loop.

The loop is the published one: a pair at a time, its moments, K samples a side, K x K distances. It
is timed on a part of the pairs and scaled up (the table says so); ours draw all pairs.

    python benchmarks/teacher.py [--width 1024] [--threads 2] [--rounds 3] [--published DIRECTORY]

``--published`` takes a checkout of the published repository; its functions for this (in
``train_poly_projector.py``) then run in place of those written here.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

SCALE, SHIFT, SAMPLES, LOG_VARIANCE = 0.1, 0.0, 10, -5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--loop-pairs", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=1000, help="items, and captions")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--published", type=Path)
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read when NumPy and torch are imported
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
    compare(options)


def compare(options: argparse.Namespace) -> None:
    """Time the loop and each estimator in turn and print one table."""
    import torch

    from polymatch.surrogate import build_teacher

    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn((4, options.rows, options.width), generator=generator)
    items, captions = torch.nn.functional.normalize(drawn[:2] + 0.3, dim=2)
    log_variance = (0.3 * drawn[2] + LOG_VARIANCE, 0.3 * drawn[3] + LOG_VARIANCE)
    loop = loop_form(items, captions, options.published)
    ours = [("fixed", name) for name in ("monte_carlo", "gauss_hermite", "gamma", "exact")]
    ours += [("pcme", "monte_carlo"), ("domain", "monte_carlo"), ("domain", "gauss_hermite")]
    seconds: dict[tuple[str, str], list[float]] = {("fixed", "loop"): []}
    mean: dict[tuple[str, str], float] = {}
    for _ in range(options.rounds):
        start = time.perf_counter()
        probabilities = loop(options.loop_pairs)
        elapsed = time.perf_counter() - start
        seconds["fixed", "loop"].append(elapsed * options.pairs / options.loop_pairs)
        mean["fixed", "loop"] = statistics.fmean(probabilities)
        for source, estimator in ours:
            start = time.perf_counter()
            teacher = build_teacher(
                items,
                captions,
                source=source,
                estimator=estimator,
                pairs=options.pairs,
                samples=SAMPLES,
                scale=SCALE,
                shift=SHIFT,
                log_variance=log_variance if source == "pcme" else LOG_VARIANCE,
                progress=False,
            )
            seconds.setdefault((source, estimator), []).append(time.perf_counter() - start)
            mean[source, estimator] = float(teacher.probability.mean())
    median = {key: statistics.median(values) for key, values in seconds.items()}
    print(
        f"{options.pairs} pairs, {options.rows} x {options.rows} embeddings of width "
        f"{options.width}, K = {SAMPLES}, {options.threads} threads, median of {options.rounds} "
        f"rounds; the loop ran {options.loop_pairs} pairs, scaled up"
    )
    print("| source | estimator | s | faster than the loop | mean probability |")
    print("|---|---|---|---|---|")
    for (source, name), value in median.items():
        ratio = median["fixed", "loop"] / value
        print(f"| {source} | {name} | {value:.2f} | {ratio:.0f} | {mean[source, name]:.5f} |")


def loop_form(items, captions, published: Path | None) -> Callable[[int], list[float]]:
    """Return the published loop over random pairs, with its functions or those written here."""
    import torch

    if published is not None:
        module = published_module(published, "train_poly_projector")
        moments = module.dist_stats_l2sq_broadcast
        score = module.mc_teacher_score_eq4
    else:
        moments, score = pair_moments, pair_score
    generator = torch.Generator().manual_seed(1)
    flat = torch.full_like(items, LOG_VARIANCE)

    def loop(pairs: int) -> list[float]:
        probabilities = []
        for _ in range(pairs):
            i, j = torch.randint(len(items), (2,), generator=generator).tolist()
            pair = items[i], flat[i], captions[j], flat[j]
            ed, vd = moments(*pair)
            float(ed), float(vd)
            probabilities.append(float(score(*pair, SAMPLES, SCALE, SHIFT)))
        return probabilities

    return loop


def pair_moments(mu_a, logvar_a, mu_b, logvar_b):
    """ed and vd of one pair."""
    width = len(mu_a)
    variance, square = logvar_a.exp() + logvar_b.exp(), (mu_a - mu_b) ** 2
    ed = (square.sum() + variance.sum()) / width
    return ed, (2 * (variance**2).sum() + 4 * (square * variance).sum()) / width**2


def pair_score(mu_a, logvar_a, mu_b, logvar_b, samples, scale, shift):
    """Equation 5 of one pair: K samples a side, all K x K distances."""
    import torch

    a = mu_a + torch.exp(0.5 * logvar_a) * torch.randn(samples, len(mu_a))
    b = mu_b + torch.exp(0.5 * logvar_b) * torch.randn(samples, len(mu_b))
    square = ((a[:, None] - b[None]) ** 2).sum(-1)
    return torch.sigmoid(shift - scale * square).mean()


def published_module(directory: Path, name: str) -> ModuleType:
    """Import one file of a checkout without putting the rest on the path."""
    spec = importlib.util.spec_from_file_location(name, directory / f"{name}.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{directory}: no {name}.py; give a checkout of the published repository")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
