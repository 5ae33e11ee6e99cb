"""Search of 1,000,000 synthetic items of width 256: all of them, by an index, and the naive form.

Items are Gaussians whose means lie on the unit sphere in 20,000 groups, in 48 directions and a
little in all others, and whose log-variances are about those of heads trained with a polynomial; a
query is an item's neighbour. `mean` is the cosine of the means, `poly` a polynomial of degree 5.
The naive form makes the moments of a query with every item from differences in every dimension.

    python benchmarks/search.py [--items 1000000] [--width 256] [--queries 100] [--threads 2]

Recall@10 is against a full search by the same similarity. Times are medians over the queries, one
at a time, of a query that is encoded already.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import library  # noqa: F401
import numpy as np
import torch
from torch.nn.functional import normalize

from polymatch.models import build_model
from polymatch.models.probabilistic import Gaussians
from polymatch.search.index import PointIndex
from polymatch.search.scores import Scorer, best
from polymatch.settings.families import parse_model
from polymatch.surrogate import PolynomialSurrogate, build_teacher

GROUPS, DIRECTIONS, BLOCK = 20_000, 48, 1 << 16
ENTRY = {
    "family": "probabilistic",
    "loss": "poly",
    "similarities": ["poly", "mean"],
    "teacher": "domain",
    "degree": 5,
    "hidden": 1,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    items, queries = gallery(options)
    model = polynomial_model(options.width)
    print(
        f"{options.items:,} items, width {options.width}, {options.threads} threads; "
        f"{resident():.1f} GB with the gallery"
    )
    print(
        "| similarity | all items, ms | of the index, ms | of it scoring, ms | candidates "
        "| lists | recall@10 | built in, s | index, GB | resident, GB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    took = {kind: measured(model, kind, items, queries) for kind in ("mean", "poly")}
    print(f"poly / mean by index: {took['poly'] / took['mean']:.2f}")
    one = Gaussians(queries.mu[:1], queries.logvar[:1])
    print(f"naive form of poly: {1e3 * timed([lambda: naive(model, items, one)]):.0f} ms")


def gallery(options: argparse.Namespace) -> tuple[Gaussians, Gaussians]:
    """N items and Q queries, each near an item."""
    random = torch.Generator().manual_seed(0)
    centres = torch.randn(GROUPS, DIRECTIONS, generator=random)
    turn = torch.randn(DIRECTIONS, options.width, generator=random) / DIRECTIONS**0.5
    places = torch.empty(options.items, DIRECTIONS)
    mu, logvar = (torch.empty(options.items, options.width) for _ in range(2))
    for start in range(0, options.items, BLOCK):
        rows = slice(start, start + BLOCK)
        count = len(mu[rows])
        group = torch.randint(GROUPS, (count,), generator=random)
        places[rows] = centres[group] + 0.7 * torch.randn(count, DIRECTIONS, generator=random)
        mu[rows], logvar[rows] = gaussians(places[rows], turn, random)
    asked = torch.randperm(options.items, generator=random)[: options.queries]
    near = places[asked] + 0.5 * torch.randn(len(asked), DIRECTIONS, generator=random)
    return Gaussians(mu, logvar), Gaussians(*gaussians(near, turn, random))


def gaussians(
    places: torch.Tensor, turn: torch.Tensor, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Variances as heads trained with a polynomial have them on the embedded data.

    They differ by dimension (0.085 of the log), hardly from item to item (0.005).
    """
    drawn = torch.randn(2, len(places), turn.shape[1], generator=random)
    of_dimension = torch.linspace(-0.25, 0.05, turn.shape[1])
    return normalize(places @ turn + 0.1 * drawn[0], dim=1), of_dimension + 0.005 * drawn[1]


def polynomial_model(width: int):
    """A head with a polynomial; its projectors are not used."""
    model = build_model(parse_model(json.dumps(ENTRY)), width, width).eval()
    one = np.eye(1, width)
    teacher = build_teacher(
        one, one, source="domain", estimator="gamma", pairs=20_000, progress=False
    )
    fitted = PolynomialSurrogate.fit(
        teacher.ed, teacher.vd, teacher.probability, 5, 1e-3, teacher=teacher.metadata
    )
    model.attach({"surrogate": fitted.to_dict()})
    return model


@torch.inference_mode()
def measured(model, kind: str, items: Gaussians, queries: Gaussians) -> float:
    """Print a row of the table; seconds of a query by the index."""
    scorer = Scorer(model, kind)
    pairs = zip(queries.mu.split(1), queries.logvar.split(1), strict=True)
    asked = [Gaussians(*pair) for pair in pairs]
    held: Any = scorer.held(items)
    answers: list[set[int]] = [set()] * len(asked)

    def full(query: int) -> None:
        answers[query] = set(best(scorer.of_caption(held, asked[query]), 10).tolist())

    exact = timed([lambda q=q: full(q) for q in range(len(asked))])
    peak = resident()
    held = None  # gigabytes

    def points() -> Iterator[np.ndarray]:
        for start in range(0, len(items.mu), BLOCK):
            rows = slice(start, start + BLOCK)
            yield model.item_points(Gaussians(items.mu[rows], items.logvar[rows]), kind).numpy()

    def rescored(query: int, rows: np.ndarray) -> np.ndarray:
        rows = np.sort(rows[rows >= 0])
        return rows[best(scorer.of_some(items, rows, asked[query]), 10)]

    index = PointIndex.build(points, len(items.mu))
    looked_for = model.caption_points(queries, kind).numpy()
    index = index.tuned(looked_for, answers, rescored)
    candidates = [index.search(point) for point in looked_for]
    whole = timed([lambda q=q: rescored(q, index.search(looked_for[q])) for q in range(len(asked))])
    scoring = timed([lambda q=q: rescored(q, candidates[q]) for q in range(len(asked))])
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "points")
        size = (Path(folder) / "points").stat().st_size / 1e9
    found = index.found
    print(
        f"| {kind} | {1e3 * exact:.1f} | {1e3 * whole:.2f} | {1e3 * scoring:.2f} "
        f"| {found.candidates} | {found.probes} of {found.lists} | {found.recall:.3f} "
        f"| {found.seconds:.0f} | {size:.2f} | {peak:.1f} |",
        flush=True,
    )
    return whole


@torch.inference_mode()
def naive(model, items: Gaussians, query: Gaussians) -> np.ndarray:
    """The ten best by moments from differences in every dimension."""
    scores, width = [], items.mu.shape[1]
    for start in range(0, len(items.mu), BLOCK):
        rows = slice(start, start + BLOCK)
        spread = items.logvar[rows].exp() + query.logvar.exp()
        square = (items.mu[rows] - query.mu) ** 2
        ed = (square + spread).sum(1) / width
        vd = (2 * spread**2 + 4 * square * spread).sum(1) / width**2
        scores.append(model.surrogate.logits(ed.double(), vd.double()))
    return best(torch.cat(scores).numpy(), 10)


def timed(calls: list[Callable[[], object]]) -> float:
    """Median seconds of the calls, the first one run once before."""
    took = []
    for number, call in enumerate([calls[0], *calls]):
        started = time.perf_counter()
        call()
        if number:
            took.append(time.perf_counter() - started)
    return statistics.median(took)


def resident() -> float:
    """The process's largest memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
