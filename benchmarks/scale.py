"""What each stage costs an item, a caption and a pair, on one core; and what sets of any size take.

Short runs (under 3 minutes of CPU) on pictures of the embedded data set, on clips that are written
for it, and on random features of the sizes that the published systems use (2,048 x 36 regions,
16 frames of 2,048, vectors of 1,024). Times are CPU seconds of one thread, the best of two turns
where they are short. Prints the tables of docs/scale.md: first what was measured, then what follows
from it for data sets that nobody ran here.

    python benchmarks/scale.py [--out costs.json] [--results results]
    python benchmarks/scale.py --costs costs.json [--results results]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import library  # noqa: F401  (makes the library importable)
import numpy as np
import pandas as pd
import torch
from scale_tables import show
from video import write as write_clips

from polymatch.data.frames import Frames
from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.data.tables import read_table, write_table
from polymatch.data.videos import sample_frames
from polymatch.encoders import extract_captions, extract_items, load_encoder
from polymatch.evaluation.asp import semantic_precision_per_query
from polymatch.evaluation.intervals import bootstrap_intervals
from polymatch.evaluation.pmrp import pmrp_per_query
from polymatch.evaluation.ranks import retrieval_ranks
from polymatch.models import RetrievalModel, build_model
from polymatch.models.cca import choose_alignment
from polymatch.settings.families import parse_model
from polymatch.settings.stages import AlignmentSettings
from polymatch.surrogate import PolynomialSurrogate
from polymatch.training.loop import train
from polymatch.training.scoring import encode

ROOT = Path(__file__).resolve().parents[1]
WIDTH, REGIONS, FRAMES, RAW, WORDS, VOCABULARY, TAGS = 1024, 36, 16, 2048, 12, 8000, 512
TRAINING = {"epochs": 1, "batch_size": 128, "select": "last"}
GAUSSIAN = {"family": "probabilistic", "training": TRAINING}
HEAD = {"family": "projection", "loss": {"type": "softmax"}, "training": TRAINING}

# name -> entry, items and captions scored, captions trained on.
FAMILIES: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "aligned": ({"family": "aligned"}, 2000, 4000, 0),
    "pcme": ({**GAUSSIAN, "loss": "sampled", "similarities": ["mean", "mc"]}, 500, 1000, 1024),
    "poly": (
        {**GAUSSIAN, "loss": "poly", "similarities": ["poly"], "teacher": "any"},
        *(1000, 2000, 1024),
    ),
    "mlp": ({**HEAD, "head": {"type": "mlp"}}, 1000, 2000, 1024),
    "cross_modal": ({**HEAD, "head": {"type": "cross_modal"}}, 300, 600, 256),
    **{
        module: (
            {"family": "alignment", "module": module, "training": {**TRAINING, "batch_size": 32}},
            *(50, 100, 64),
        )
        for module in ("saf", "sgr")
    },
    "dual": (
        {
            "family": "dual_encoding",
            "similarities": ["latent", "concept", "hybrid"],
            "training": {**TRAINING, "batch_size": 64},
        },
        *(200, 400, 128),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON of what was measured, to write")
    parser.add_argument("--costs", type=Path, help="the same, from another time: only the tables")
    parser.add_argument("--results", type=Path, help="of a finished run: what its jobs took")
    given = parser.parse_args()
    torch.set_num_threads(1)
    costs = json.loads(given.costs.read_text()) if given.costs else measured()
    if given.out:
        given.out.write_text(json.dumps(costs, indent=1) + "\n")
    show(costs, given.results)


def measured() -> dict[str, Any]:
    """Seconds and bytes, by stage and by family."""
    began = time.process_time()
    costs: dict[str, Any] = {"stages": {}, "families": {}}
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        costs["stages"] |= extraction(Path(folder))
    costs["stages"] |= alignment() | evaluation()
    for name, (entry, items, captions, trained) in FAMILIES.items():
        costs["families"][name] = family(entry, items, captions, trained)
    costs["cpu_seconds"] = time.process_time() - began
    return costs


def seconds(work: Callable[[], Any], turns: int = 2) -> float:
    """CPU seconds of the fastest of ``turns`` runs."""
    took = []
    for _ in range(turns):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def extraction(folder: Path, pictures: int = 40, captions: int = 400) -> dict[str, float]:
    """Encoding a picture and a caption with the embedded set's networks; decoding a clip."""
    encoder = load_encoder("efficientnet_minilm", torch.device("cpu"))
    root = ROOT / "resources/emoji"
    items = pd.read_csv(root / "items.csv", dtype=str, keep_default_na=False)
    items = items[items["n_frames"] == "1"].iloc[:pictures].assign(n_frames=1)
    texts = pd.read_csv(root / "captions.csv", dtype=str, keep_default_na=False).iloc[:captions]
    texts = texts.assign(caption_id=[f"c{row}" for row in range(len(texts))])
    about = {"dataset": "emoji", "command": "benchmark"}
    out = {name: folder / f"{name}.h5" for name in ("pooled", "regions")}
    of_items = seconds(lambda: extract_items(items, root, encoder, out, about, 32, readers=1))
    of_texts = seconds(lambda: extract_captions(texts, encoder, folder / "captions.h5", about))
    clips = write_clips(folder, 4)
    decode = seconds(lambda: [sample_frames(clip, FRAMES) for clip in clips])
    manifest = pd.DataFrame({"item_id": [f"i{n}" for n in range(20_000)], "n_frames": 1})
    manifest = manifest.assign(path="a.png", group_id="g", split="train")
    write_table(manifest, folder / "manifest.parquet", "manifest")
    table = seconds(lambda: read_table(folder / "manifest.parquet", "manifest"))
    return {
        "read tables, item": table / len(manifest),
        "encode picture": of_items / len(items),
        "encode caption": of_texts / len(texts),
        "decode clip, 16 frames": decode / len(clips),
        "stored, item": sum(path.stat().st_size for path in out.values()) / len(items),
        "stored, caption": (folder / "captions.h5").stat().st_size / len(texts),
    }


def alignment(pairs: int = 8000) -> dict[str, float]:
    """CCA on vectors of the embedded set's widths: a pair, and the rest that does not grow."""
    random = np.random.default_rng(0)

    def fit(number: int) -> float:
        rows = np.arange(number)
        sides = [random.standard_normal((number, w)).astype(np.float32) for w in (1280, 384)]
        few = [side[:50] for side in sides]
        names = [f"i{n}" for n in range(50)]
        val = RetrievalSet(names, few[0], names, few[1], [(name,) for name in names])
        settings = AlignmentSettings(width=[256], shrinkage=[0.1], root=[1.0])
        return seconds(lambda: choose_alignment(TrainingSet(*sides, rows, rows), val, settings))

    small, large = fit(pairs // 4), fit(pairs)
    pair = max(large - small, 0.0) / (pairs - pairs // 4)
    return {"align, pair": pair, "align, once": max(small - pair * pairs / 4, 0.0)}


def evaluation(items: int = 1000, resamples: int = 1000) -> dict[str, float]:
    """Ranks, ASP and PMRP of a pair of item and caption; intervals of a query."""
    random = np.random.default_rng(0)
    captions = 5 * items
    matrix = random.standard_normal((items, captions)).astype(np.float32)
    of_caption = np.repeat(np.arange(items), 5)
    names = list(range(items))
    semantic = random.random((items, captions))
    semantic[random.random((items, captions)) < 0.5] = 0
    codes = (random.random((items, 80)) < 0.04).astype(int)
    ranks = retrieval_ranks(matrix, names, of_caption, threads=1)
    pairs = items * captions
    return {
        "rank, pair": seconds(lambda: retrieval_ranks(matrix, names, of_caption, threads=1))
        / pairs,
        "ASP, pair": seconds(lambda: semantic_precision_per_query(matrix, semantic, threads=1), 1)
        / pairs,
        "PMRP, pair": seconds(lambda: pmrp_per_query(matrix, codes, of_caption, threads=1), 1)
        / pairs,
        "intervals, query": seconds(lambda: bootstrap_intervals(ranks, (1, 5, 10), resamples), 1)
        / (items + captions),
    }


def family(entry: dict[str, Any], items: int, captions: int, trained: int) -> dict[str, Any]:
    """Training a pair for an epoch; encoding an item and a caption; scoring a pair; bytes held."""
    settings = parse_model(json.dumps(entry))
    test = gallery(settings.starts_from, items, captions)
    few = test.as_pairs() if trained == 0 else pairs(settings.starts_from, trained)
    model = build_model(settings, *few.widths)
    if settings.needs_surrogate:
        model.surrogate = surrogate()  # type: ignore[assignment]
    found: dict[str, Any] = {}
    if trained:
        val = gallery(settings.starts_from, 4, 4)
        found["train, pair"] = seconds(lambda: train(model, few, val, 0), 1) / trained
    first, second = (gallery(settings.starts_from, *each) for each in ((items, 1), (1, captions)))
    sides = encode(model, test)
    found["encode, item"] = seconds(lambda: encode(model, first)) / items
    found["encode, caption"] = seconds(lambda: encode(model, second)) / captions
    found["held, item"], found["held, caption"] = (held(side) for side in sides)
    found["held, item"] /= items
    found["held, caption"] /= captions
    found["score, pair"] = {
        kind: seconds(lambda kind=kind: scored(model, sides, kind)) / (items * captions)
        for kind in settings.scored_by
    }
    return found


def scored(model: RetrievalModel, sides: tuple[Any, Any], kind: str) -> torch.Tensor:
    with torch.inference_mode():
        return model.similarity(*sides, kind)


def held(encoded: Any) -> float:
    """Bytes of what was encoded."""
    if isinstance(encoded, torch.Tensor):
        return float(encoded.nbytes)
    return sum(held(part) for part in encoded)


def features(start: str, number: int, of_items: bool) -> Any:
    """Random features: vectors, regions or frames of items; vectors or words of captions."""
    random = np.random.default_rng(number)
    if start == "regions" and of_items:
        return random.standard_normal((number, REGIONS, RAW)).astype(np.float32)
    if start == "frames" and of_items:
        rows = random.standard_normal((number * FRAMES, RAW)).astype(np.float32)
        return Frames(rows, FRAMES * np.arange(number + 1))
    if start in ("regions", "frames"):
        return random.integers(4, VOCABULARY, (number, WORDS))
    return random.standard_normal((number, WIDTH)).astype(np.float32)


def gallery(start: str, items: int, captions: int) -> RetrievalSet:
    names = [f"i{row}" for row in range(items)]
    texts = [f"text {row}" for row in range(captions)]
    positives = [(names[row % items],) for row in range(captions)]
    sides = features(start, items, True), features(start, captions, False)
    return RetrievalSet(names, sides[0], texts, sides[1], positives)


def pairs(start: str, number: int) -> TrainingSet:
    rows = np.arange(number)
    concepts = np.random.default_rng(0).random((number, TAGS)).astype(np.float32)
    return TrainingSet(
        features(start, number, True),
        features(start, number, False),
        rows,
        rows,
        [f"captions have words such as number{row}" for row in range(number)],
        vocabulary_size=VOCABULARY if start in ("regions", "frames") else None,
        concepts=concepts if start == "frames" else None,
    )


def surrogate() -> PolynomialSurrogate:
    """A polynomial of degree 5; which one does not matter to its cost."""
    ed, vd = np.random.default_rng(0).random((2, 500))
    return PolynomialSurrogate.fit(ed, vd, 1 / (1 + np.exp(ed - vd)), degree=5)


if __name__ == "__main__":
    main()
