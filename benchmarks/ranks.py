"""Ranks of both directions, 5,000 items x 25,000 captions: counting beside sorting.

The sorting form is how the field's evaluation scripts do it: every row and every column is
argsorted and searched for its positives. Both run in turn on the same matrix, with as many threads
as stated; ours also gives mean average precision, which the sorting form does not.

    python benchmarks/ranks.py [--items 5000] [--threads 2] [--rounds 3] [--published evaluation.py]

``--published`` takes an evaluation module with the functions ``i2t`` and ``t2i`` of VSE++, SCAN,
SGRAF and their kin; only these two functions are run, in place of the form written here.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CAPTIONS_AN_ITEM = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--published", type=Path)
    parser.add_argument("--memory-of", choices=["counting", "sorting"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read when NumPy and torch are imported
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
    if options.memory_of:
        print(extra_memory(options))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Time both forms alternately, check that they agree, and print one table."""
    # Memory first: the kernel credits a child with what its parent holds when it is started.
    memory = {name: memory_in_subprocess(name, options) for name in ("sorting", "counting")}
    similarity = example(options.items)
    forms = {"sorting": sorting_form(options.published), "counting": counting_form(options.threads)}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    results = {}
    for _ in range(options.rounds):
        for name, form in forms.items():
            start = time.perf_counter()
            results[name] = form(similarity)
            seconds[name].append(time.perf_counter() - start)
    ties = check_agreement(similarity, results["sorting"], options.threads)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    n_items, n_captions = similarity.shape
    print(
        f"{n_items} x {n_captions} float32, both directions, {options.threads} threads, "
        f"median of {options.rounds}; every rank agrees ({ties} queries have exact ties)"
    )
    for name in forms:
        print(f"{name:9} {median[name]:8.3f} s  {memory[name]:7.1f} MB beside the matrix")
    print(f"ratio     {median['sorting'] / median['counting']:8.1f}")


def example(n_items: int):
    """Similarities of a fair model, [N, 5 N]: noise, and a head start for the true pairs."""
    import numpy as np

    n_captions = CAPTIONS_AN_ITEM * n_items
    similarity = np.random.default_rng(0).standard_normal((n_items, n_captions), np.float32)
    similarity[np.arange(n_captions) // CAPTIONS_AN_ITEM, np.arange(n_captions)] += 2.5
    return similarity


def counting_form(threads: int) -> Callable:
    import numpy as np

    from polymatch.evaluation import retrieval_metrics

    def form(similarity):
        n_items, n_captions = similarity.shape
        item_of = np.arange(n_captions) // CAPTIONS_AN_ITEM
        return retrieval_metrics(similarity, np.arange(n_items), item_of, threads=threads)

    return form


def sorting_form(published: Path | None) -> Callable:
    """Return a function of the matrix that gives (v2t ranks, t2v ranks), counted from 0."""
    import numpy as np

    if published is not None:
        i2t, t2i = published_functions(published)
        return lambda similarity: tuple(
            call_with(function, similarity)[1][0] for function in (i2t, t2i)
        )

    def form(similarity):
        n_items, n_captions = similarity.shape
        v2t, t2v = np.zeros(n_items), np.zeros(n_captions)
        for item in range(n_items):
            order = similarity[item].argsort()[::-1]
            own = range(CAPTIONS_AN_ITEM * item, CAPTIONS_AN_ITEM * (item + 1))
            v2t[item] = min(int(np.nonzero(order == caption)[0][0]) for caption in own)
        for caption in range(n_captions):
            order = similarity[:, caption].argsort()[::-1]
            t2v[caption] = np.nonzero(order == caption // CAPTIONS_AN_ITEM)[0][0]
        return v2t, t2v

    return form


def published_functions(path: Path) -> tuple[Callable, Callable]:
    """Take ``i2t`` and ``t2i`` out of a module without importing what else it needs."""
    import numpy as np

    tree = ast.parse(path.read_text())
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in ("i2t", "t2i")
    ]
    names: dict = {"np": np, "numpy": np}
    exec(compile(tree, str(path), "exec"), names)
    return names["i2t"], names["t2i"]


def call_with(function: Callable, similarity):
    import numpy as np

    given = {
        "images": np.zeros((len(similarity), 1)),
        "sims": similarity,
        "return_ranks": True,
    }
    parameters = inspect.signature(function).parameters.values()
    required = {each.name: None for each in parameters if each.default is inspect.Parameter.empty}
    return function(**(required | given))


def check_agreement(similarity, sorted_ranks, threads: int) -> int:
    """Every rank found by sorting is ours or lies within our tie; returns how many are tied."""
    import numpy as np

    from polymatch.evaluation import retrieval_ranks

    n_items, n_captions = similarity.shape
    item_of = np.arange(n_captions) // CAPTIONS_AN_ITEM
    ranks = retrieval_ranks(similarity, np.arange(n_items), item_of, threads=threads)
    ties = 0
    for part, found in zip((ranks.v2t, ranks.t2v), sorted_ranks, strict=True):
        if not ((part.better <= found) & (found <= part.better + part.tied_negatives)).all():
            raise SystemExit("the two forms disagree")
        ties += int(np.sum(part.tied_negatives > 0))
    return ties


def memory_in_subprocess(name: str, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--memory-of", name]
    command += ["--items", str(options.items), "--threads", str(options.threads)]
    if options.published:
        command += ["--published", str(options.published)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> float:
    """Peak resident MB that one form adds to a process that holds the matrix and the library."""
    forms = {"sorting": sorting_form(options.published), "counting": counting_form(options.threads)}
    form = forms[options.memory_of]
    form(example(20))  # imports and first-call caches are not the form's
    similarity = example(options.items)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    form(similarity)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) / 1024


if __name__ == "__main__":
    main()
