"""Scores of SAF and SGR beside a loop over captions, as the published code has it.

Every caption is put beside all images, 100 at a time, without a shortcut; `--published` takes the
loop of a folder of the published code (DAA or SGRAF) instead. Both start from encoded regions and
words, have the same weights, and are checked against each other. Where a form would take longer
than `--limit` seconds it scores the first captions only, and its time is extrapolated.

    python benchmarks/alignment.py [--images 100] [--captions 500] [--published FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import library  # noqa: F401
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymatch.models.alignment.layers import unit
from polymatch.models.alignment.part import Captions, Items, Part
from polymatch.models.alignment.published import published_name
from polymatch.settings.alignment import AlignmentModelSettings

REGIONS, SHORTEST, LONGEST, SHARD = 36, 8, 20, 100

Score = Callable[[Tensor, Tensor, list[int]], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = {"images": 100, "captions": 500, "threads": 2, "rounds": 3, "limit": 600}
    for name, default in {**defaults, "width": 1024, "vectors": 256}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--published", type=Path, help="folder with the published model.py")
    parser.add_argument("--module", choices=["saf", "sgr"], action="append")
    parser.add_argument("--only", choices=["blocks", "loop"], action="append")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{options.images} x {options.captions}, {options.threads} threads, best of "
        f"{options.rounds} alternating rounds; * extrapolated from the first captions"
    )
    print("| module | form | s | captions timed | largest difference |\n|---|---|---|---|---|")
    with torch.inference_mode():
        for module in options.module or ["saf", "sgr"]:
            compare(module, options)


def compare(module: str, options: argparse.Namespace) -> None:
    """Time both forms alternately, check that they agree, and print their rows."""
    settings = AlignmentModelSettings(
        family="alignment", module=module, embed_dim=options.width, sim_dim=options.vectors
    )
    torch.manual_seed(0)
    part = Part(settings, (REGIONS, 8), 8).eval()
    theirs = loop(part) if options.published is None else published(part, options)
    forms = {"blocks": blocks(part), "loop": theirs}
    forms = {name: form for name, form in forms.items() if name in (options.only or forms)}
    regions = unit(torch.randn(options.images, REGIONS, options.width))
    lengths = torch.randint(SHORTEST, LONGEST + 1, (options.captions,)).tolist()
    words = unit(torch.randn(options.captions, LONGEST, options.width))
    counts = {
        name: affordable(form, regions, words, lengths, options) for name, form in forms.items()
    }
    best = dict.fromkeys(forms, float("inf"))
    scores = {}
    for _ in range(options.rounds):
        for name, form in forms.items():
            count, start = counts[name], time.perf_counter()
            scores[name] = form(regions, words[:count], lengths[:count])
            best[name] = min(best[name], time.perf_counter() - start)
    common = min(counts.values())
    first, *others = (matrix[:, :common] for matrix in scores.values())
    difference = f"{float((first - others[0]).abs().max()):.1e}" if others else ""
    seconds = {name: best[name] * options.captions / counts[name] for name in forms}
    for name in forms:
        star = "*" if counts[name] < options.captions else ""
        print(f"| {module} | {name} | {seconds[name]:.2f}{star} | {counts[name]} | {difference} |")
    if len(forms) == 2:
        print(
            f"| {module} | loop / blocks | {seconds['loop'] / seconds['blocks']:.1f} | | |",
            flush=True,
        )


def affordable(
    form: Score, regions: Tensor, words: Tensor, lengths: list[int], options: argparse.Namespace
) -> int:
    """How many captions are scored within the limit: all, or as many as a first part says."""
    count = min(len(words), 50)
    start = time.perf_counter()
    form(regions, words[:count], lengths[:count])
    each = (time.perf_counter() - start) / count
    return max(count, min(len(words), int(options.limit / options.rounds / each)))


def blocks(part: Part) -> Score:
    """Ours, with both kinds of global vectors."""

    def scores(regions: Tensor, words: Tensor, lengths: list[int]) -> Tensor:
        numbers = torch.tensor(lengths)
        padding = torch.arange(words.shape[1]) >= numbers[:, None]
        words = words.masked_fill(padding[:, :, None], 0)
        items = Items(regions, part.item_pooling(regions))
        captions = Captions(words, part.caption_pooling(words, numbers), numbers)
        return part.similarity(items, captions)[0]

    return scores


def loop(part: Part) -> Score:
    """Caption after caption against 100 images, by torch's own operations."""

    def reason(nodes: Tensor) -> Tensor:
        for step in part.reasoning.steps:
            edges = step.query(nodes) @ step.key(nodes).transpose(1, 2)
            nodes = torch.relu(step.graph(torch.softmax(edges, 2) @ nodes))
        return nodes[:, 0]

    def filtered(nodes: Tensor) -> Tensor:
        gates = part.filtration.norm(part.filtration.gate(nodes).transpose(1, 2)).sigmoid()
        return unit((F.normalize(gates, p=1, dim=2) @ nodes)[:, 0])

    def column(regions: Tensor, vectors: Tensor, words: Tensor) -> Tensor:
        repeated = words.repeat(len(regions), 1, 1)
        logits = F.leaky_relu(regions @ repeated.transpose(1, 2), 0.1)
        weights = torch.softmax(9 * unit(logits).transpose(1, 2), 2)
        found = unit(weights @ regions)
        whole = part.caption_pooling(words[None], torch.tensor([len(words)]))
        local = unit(part.local((found - repeated).pow(2)))
        nodes = torch.cat([unit(part.whole((vectors - whole).pow(2)))[:, None], local], 1)
        vector = filtered(nodes) if part.reasoning is None else reason(nodes)
        return torch.sigmoid(part.score(vector))

    def shard(regions: Tensor, words: Tensor, lengths: list[int]) -> Tensor:
        vectors = part.item_pooling(regions)
        pairs = zip(words, lengths, strict=True)
        return torch.cat([column(regions, vectors, row[:length]) for row, length in pairs], 1)

    return in_shards(shard)


def published(part: Part, options: argparse.Namespace) -> Score:
    """The published module, of our weights."""
    # It imports a neighbour for its training only.
    sys.modules["semantic"] = types.SimpleNamespace(cider_compute=None)  # type: ignore[assignment]
    path = options.published / "model.py"
    module = types.ModuleType("published_model")
    # SGRAF's is of Python 2, where `/` of whole numbers is one.
    code = path.read_text(encoding="utf-8").replace("size(2)/2", "size(2)//2")
    exec(compile(code, str(path), "exec"), module.__dict__)
    name = part.settings.module.upper()
    theirs: nn.Module = module.EncoderSimilarity(options.width, options.vectors, name, 3)
    ours = {published_name(own): tensor for own, tensor in part.state_dict().items()}
    state = {key: ours.get(key, tensor) for key, tensor in theirs.state_dict().items()}
    theirs.load_state_dict(state)
    return in_shards(theirs.eval())


def in_shards(form: Score) -> Score:
    """100 images with 100 captions at a time, as the published evaluation does."""

    def scores(regions: Tensor, words: Tensor, lengths: list[int]) -> Tensor:
        return torch.cat(
            [
                torch.cat(
                    [
                        form(images, words[start : start + SHARD], lengths[start : start + SHARD])
                        for start in range(0, len(words), SHARD)
                    ],
                    1,
                )
                for images in regions.split(SHARD)
            ]
        )

    return scores


if __name__ == "__main__":
    main()
