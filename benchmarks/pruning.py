"""What pruning gives at Dual Encoding++'s published sizes: file, memory of weights, encoding time.

The weights are random, so nothing is said about retrieval: how large a pruned model is, and how
fast, depends on its sizes alone. All forms encode the same batch in turn.

    python benchmarks/pruning.py [--batch 128] [--rate 0.34] [--threads 2] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import library  # noqa: F401  (makes the library importable)
import torch

from polymatch.deployment.sizes import sizes
from polymatch.models import RetrievalModel, build_model, load_model, save_model
from polymatch.models.pruned import assemble
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.settings.pruned import PrunedModelSettings

WIDTH, WORDS, TAGS = 4096, 7_811, 512
FRAMES, LENGTHS = (10, 50), (4, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.34)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    settings = DualEncodingModelSettings(family="dual_encoding")
    whole = build_model(settings, WIDTH, (WORDS, TAGS)).eval()
    print(
        f"rate {given.rate}, {given.batch} videos and captions, {given.threads} threads, best of "
        f"{given.rounds} alternating rounds\n| form | stored (MB) | ratio | weights held (MB) | "
        "videos (s) | captions (s) | one caption (ms) |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        forms = {"whole": stored(whole, Path(folder) / "whole")}
        for method in ("weights", "units", "int8"):
            pruned = PrunedModelSettings(
                family="pruned", of="whole", method=method, rate=given.rate
            )
            forms[method] = stored(assemble(pruned, [whole]), Path(folder) / method)
        taken = {name: [float("inf")] * 3 for name in forms}
        frames, words = padded(given.batch)
        with torch.inference_mode():
            for _ in range(given.rounds):
                for name, model in forms.items():
                    found = times(model, frames, words)
                    taken[name] = [min(pair) for pair in zip(taken[name], found, strict=True)]
        records = {name: sizes(model, Path(folder) / name) for name, model in forms.items()}
    base = records["whole"]["stored_mb"]
    for name, record in records.items():
        videos, captions, one = taken[name]
        print(
            f"| {name} | {record['stored_mb']:.1f} | {record['stored_mb'] / base:.2f} | "
            f"{record['weights_mb']:.1f} | {videos:.2f} | {captions:.3f} | {1000 * one:.1f} |"
        )


def stored(model: RetrievalModel, folder: Path) -> RetrievalModel:
    """The model as it comes back from its file."""
    folder.mkdir()
    save_model(model, folder)
    return load_model(folder)


def padded(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames [B, L, F] filled up with NaN and words [B, L] filled up with 0, of several lengths."""
    counts, lengths = torch.randint(*FRAMES, (batch,)), torch.randint(*LENGTHS, (batch,))
    frames = torch.randn(batch, int(counts.max()), WIDTH)
    frames[torch.arange(frames.shape[1]) >= counts[:, None]] = float("nan")
    words = torch.randint(4, WORDS, (batch, int(lengths.max())))
    return frames, words * (torch.arange(words.shape[1]) < lengths[:, None])


def times(model: RetrievalModel, frames: torch.Tensor, words: torch.Tensor) -> list[float]:
    """Seconds to encode the videos, the captions, and one caption."""
    taken = []
    for encode, batch in (
        (model.encode_items, frames),
        (model.encode_captions, words),
        (model.encode_captions, words[:1]),
    ):
        start = time.perf_counter()
        encode(batch)
        taken.append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    main()
