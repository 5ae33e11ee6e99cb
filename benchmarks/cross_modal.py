"""Cross-modal scores of every pair, 500 items x 1,000 captions: matrix products beside every pair.

The naive form puts every pair through torch's own layers (``nn.MultiheadAttention``, layer norm,
linear), a block of pairs at a time. Both run in turn with the same weights, in evaluation mode, and
are checked against each other; a plain product of normalised tokens stands beside them.

    python benchmarks/cross_modal.py [--hidden 512] [--output 512] [--threads 2] [--rounds 3]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import library  # noqa: F401
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from polymatch.models.projection.pairwise import PairwiseScorer

FORMS = ("cosine", "products", "naive")
# Pairs that the naive form holds at once; more of them are no faster.
BLOCK = 4096
HEADS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"items": 500, "captions": 1000, "hidden": 512, "output": 512}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", choices=FORMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        if options.memory_of:
            print(extra_memory(options))
        else:
            compare(options)


def compare(options: argparse.Namespace) -> None:
    """Time the forms alternately, check that they agree, and print one table."""
    # Memory first: the kernel credits a child with what its parent holds when it is started.
    memory = {name: memory_in_subprocess(name, options) for name in FORMS}
    functions, sides = forms(options), example(options)
    wall: dict[str, list[float]] = {name: [] for name in FORMS}
    cpu: dict[str, list[float]] = {name: [] for name in FORMS}
    found = {}
    for _ in range(options.rounds):
        for name in FORMS:
            # The slow form cools the caches: each short one runs a few times, the best counts.
            repeats = []
            for _ in range(1 if name == "naive" else 7):
                start = time.perf_counter(), time.process_time()
                found[name] = functions[name](*sides)
                repeats.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            wall[name].append(min(repeat[0] for repeat in repeats))
            cpu[name].append(min(repeat[1] for repeat in repeats))
    difference = float((found["products"] - found["naive"]).abs().max())
    print(
        f"{options.items} x {options.captions} float32, hidden {options.hidden}, output "
        f"{options.output}, {options.threads} threads, median of {options.rounds} rounds; "
        f"largest difference of a score {difference:.1e}"
    )
    print("| form | ms | CPU ms | extra memory (MB) |")
    print("|---|---|---|---|")
    times = {name: [1000 * statistics.median(of[name]) for of in (wall, cpu)] for name in FORMS}
    for name in FORMS:
        print(f"| {name} | {times[name][0]:.1f} | {times[name][1]:.1f} | {memory[name]:.0f} |")
    for first, second in (("naive", "products"), ("products", "cosine")):
        ratio = " | ".join(f"{a / b:.0f}" for a, b in zip(times[first], times[second], strict=True))
        print(f"| {first} / {second} | {ratio} | |")


def example(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Tokens of items and captions."""
    torch.manual_seed(0)
    rows = (options.items, options.captions)
    return torch.randn(rows[0], options.hidden), torch.randn(rows[1], options.hidden)


def forms(options: argparse.Namespace) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    torch.manual_seed(1)
    scorer = PairwiseScorer(options.hidden, options.output, HEADS, 0.0).eval()

    def products(items: Tensor, captions: Tensor) -> Tensor:
        return scorer(scorer.prepare_items(items), scorer.prepare_captions(captions))

    def cosine(items: Tensor, captions: Tensor) -> Tensor:
        return normalize(items, dim=1) @ normalize(captions, dim=1).T

    return {"cosine": cosine, "products": products, "naive": naive_form(scorer, options)}


def naive_form(scorer: PairwiseScorer, options: argparse.Namespace) -> Callable:
    """The layers of torch with the scorer's weights, on every pair."""
    attentions = []
    for vector in (scorer.image, scorer.text):
        attention = nn.MultiheadAttention(options.hidden, HEADS, batch_first=True).eval()
        attention.in_proj_weight[-options.hidden :] = vector.attention.value.weight
        attention.in_proj_bias[-options.hidden :] = vector.attention.value.bias
        attention.out_proj.load_state_dict(vector.attention.out.state_dict())
        attentions.append((vector, attention))

    def vectors(own: Tensor, other: Tensor, vector: nn.Module, attention: nn.Module) -> Tensor:
        attended, _ = attention(own[:, None], other[:, None], other[:, None], need_weights=False)
        hidden = vector.linear(vector.norm1(own + attended[:, 0]))
        return normalize(vector.norm2(hidden), dim=1)

    def naive(items: Tensor, captions: Tensor) -> Tensor:
        n, m = len(items), len(captions)
        scores = torch.empty(n * m)
        for pairs in torch.arange(n * m).split(BLOCK):
            p, q = items[pairs // m], captions[pairs % m]
            image, text = vectors(p, q, *attentions[0]), vectors(q, p, *attentions[1])
            scores[pairs] = (image * text).sum(1)
        return scores.view(n, m)

    return naive


def memory_in_subprocess(name: str, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--memory-of", name]
    for key in ("items", "captions", "hidden", "output", "threads"):
        command += [f"--{key}", str(getattr(options, key))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> float:
    """Peak resident MB that one form adds to a process that holds tokens and weights."""
    form = forms(options)[options.memory_of]
    sides = example(options)
    form(sides[0][:2], sides[1][:2])  # first-call caches are not the form's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    form(*sides)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


if __name__ == "__main__":
    main()
