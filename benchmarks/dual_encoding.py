"""Encoding and training of Dual Encoding++ beside the published code, at its sizes.

A batch of videos and captions, all lengths different: both encoders without gradients, and a whole
step (loss, gradient). Both have the same weights. The published embedding changes with its batch,
so what is compared is each video and caption alone. Seconds of the CPU are printed too: with other
work on the machine they tell more.

    python benchmarks/dual_encoding.py --published FOLDER [--batch 128] [--threads 2] [--rounds 3]

Without ``--published`` ours runs alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import library  # noqa: F401
import numpy as np
import torch
from torch import Tensor

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.losses.dual_encoding import TrainingLoss
from polymatch.models.dual_encoding import Model, load_published
from polymatch.settings.dual_encoding import DualEncodingModelSettings

FRAME, WORDS, TAGS, WORD = 4096, 7811, 512, 500
FRAMES, CAPTION = (10, 50), (4, 20)
_SIZES = {
    "vid_rnn_hidden_size": 512,
    "vid_rnn_bidirectional": True,
    "vid_cnn_out_channels_list": [512] * 4,
    "vid_cnn_filter_size_list": [2, 3, 4, 5],
    "text_rnn_hidden_size": 512,
    "text_rnn_bidirectional": True,
    "text_cnn_out_channels_list": [512] * 3,
    "text_cnn_filter_size_list": [2, 3, 4],
    "frame_feature_dim": FRAME,
    "vocab_size": WORDS,
    "tag_vocab_size": TAGS,
    "embed_dim_lat": 1536,
    "alpha": 0.6,
}
_SIZES |= {f"{side}_dp_rate_{space}": 0.2 for side in ("vid", "text") for space in ("lat", "con")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"batch": 128, "threads": 2, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--published", type=Path, help="folder with the published model.py")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    given = inputs(options.batch)
    if options.published is None:
        settings = DualEncodingModelSettings(family="dual_encoding")
        model = Model(settings, FRAME, (WORDS, TAGS))
        forms = {"ours": ours(model, *given)}
    else:
        theirs = published(options.published)
        with tempfile.TemporaryDirectory() as folder:
            theirs.save(f"{folder}/model.bin")
            model = load_published(f"{folder}/model.bin")
        forms = {"ours": ours(model, *given), "published": of_published(theirs, *given)}
        agree(model, theirs, *given)
    print(f"batch {options.batch}, {options.threads} threads, best of {options.rounds} rounds")
    print("| work | form | s | CPU s | published / ours (s, CPU) |\n|---|---|---|---|---|")
    for work in ("videos", "captions", "training step"):
        compare(work, forms, options.rounds)


def inputs(batch: int) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Frames [l, F] of each video, words [l] of each caption, and tags [B, C]."""
    lengths = (torch.randint(low, high, (batch,)).tolist() for low, high in (FRAMES, CAPTION))
    of_frames, of_words = lengths
    frames = [torch.rand(length, FRAME) for length in of_frames]
    return frames, [torch.randint(4, WORDS, (n,)) for n in of_words], torch.rand(batch, TAGS)


def ours(model: Model, frames: list[Tensor], words: list[Tensor], tags: Tensor) -> dict:
    """What is timed, by name."""
    videos, captions = padded(frames, torch.nan), padded(words)
    rows = torch.arange(len(tags))
    semantics = Semantics([str(row) for row in range(len(tags))], rows.numpy(), rows.numpy())
    batch = Batch(
        videos, captions, rows[:, None] == rows, rows, rows, Matches(rows, rows), semantics, tags
    )
    loss = TrainingLoss(model)
    return {
        "videos": evaluated(model, lambda: model.encode_items(videos)),
        "captions": evaluated(model, lambda: model.encode_captions(captions)),
        "training step": trained(model, lambda: loss(model, batch)["loss"]),
    }


def of_published(model: Any, frames: list[Tensor], words: list[Tensor], tags: Tensor) -> dict:
    videos, captions = padded(frames), padded(words)
    lengths = [[len(row) for row in side] for side in (frames, words)]
    given = (videos, lengths[0], captions, lengths[1], tags)
    return {
        "videos": evaluated(model, lambda: model.encode_video(videos, lengths[0])),
        "captions": evaluated(model, lambda: model.encode_text(captions, lengths[1])),
        "training step": trained(model, lambda: model.forward_loss(*given)),
    }


def evaluated(model: Any, call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        model.eval()
        with torch.inference_mode():
            call()

    return run


def trained(model: Any, loss: Callable[[], Tensor]) -> Callable[[], None]:
    def run() -> None:
        model.train()
        model.zero_grad()
        loss().backward()

    return run


def compare(work: str, forms: dict[str, dict], rounds: int) -> None:
    """Time the forms alternately and print their rows."""
    best = {name: [float("inf")] * 2 for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.perf_counter(), time.process_time()
            form[work]()
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            best[name] = [min(pair) for pair in zip(best[name], spent, strict=True)]
    for name, (seconds, busy) in best.items():
        slower = [p / o for p, o in zip(best.get("published", []), best["ours"], strict=False)]
        ratio = ", ".join(f"{of:.2f}" for of in slower) if name == "ours" else ""
        print(f"| {work} | {name} | {seconds:.2f} | {busy:.2f} | {ratio} |", flush=True)


@torch.inference_mode()
def agree(model: Model, theirs: Any, frames: list[Tensor], words: list[Tensor], _: Tensor) -> None:
    """Print how far ours is from the published form alone, and that in a batch from itself."""
    few = slice(0, 16)
    frames, words = frames[few], words[few]
    theirs.eval()
    lengths = [[len(row) for row in side] for side in (frames, words)]
    together = [
        *theirs.encode_video(padded(frames), lengths[0]),
        *theirs.encode_text(padded(words), lengths[1]),
    ]
    found = [
        *model.encode_video_frames(padded(frames), lengths[0]),
        *model.encode_text_tokens(padded(words), lengths[1]),
    ]
    alone = [theirs.encode_video(row[None], [len(row)]) for row in frames]
    of_words = [theirs.encode_text(row[None], [len(row)]) for row in words]
    right = [torch.cat(part) for side in (alone, of_words) for part in zip(*side, strict=True)]
    names = ("video, latent", "video, concept", "caption, latent", "caption, concept")
    print(
        "| embedding | ours from published alone | published in a batch from alone |\n|---|---|---|"
    )
    for name, here, there, batch in zip(names, found, right, together, strict=True):
        print(f"| {name} | {largest(here, there):.1e} | {largest(batch, there):.1e} |")


def largest(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())


def padded(rows: list[Tensor], value: float = 0.0) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


def published(directory: Path) -> Any:
    """The published model, from its source; what only reads data need not be installed."""
    if not (directory / "model.py").is_file():
        sys.exit(f"{directory}: no model.py; give a folder of the published code")
    for name in ("nltk", "nltk.corpus"):
        module = types.ModuleType(name)
        module.wordnet = module.stopwords = None  # type: ignore[attr-defined]
        sys.modules.setdefault(name, module)
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    sys.path.insert(0, str(directory))
    import model as theirs  # type: ignore[import-not-found]

    vectors = np.random.default_rng(0).uniform(-1, 1, (WORDS, WORD)).astype(np.float32)
    return theirs.HybridDualEncoding(**_SIZES, pretrained_weight=vectors)


if __name__ == "__main__":
    main()
