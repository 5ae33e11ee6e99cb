"""The tables of docs/scale.md: everything in them follows from what ``scale.py`` has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

HOUR, GB, DAY = 3600.0, 1e9, 86400.0
EPOCHS = 20
QUERIES = 10_000
CANDIDATES = 1000


class Size(NamedTuple):
    """A data set: all items and captions, those of its test matrix, clips or pictures."""

    items: int
    captions: int
    test_items: int
    test_captions: int
    clips: bool


SIZES = {
    "COCO": Size(123_287, 616_767, 5_000, 25_000, False),
    "MSR-VTT 1K-A": Size(10_000, 200_000, 1_000, 1_000, True),
    "MSR-VTT official": Size(10_000, 200_000, 2_990, 59_800, True),
    "1 million": Size(10**6, 5 * 10**6, 10**6, QUERIES, False),
    "1 billion": Size(10**9, 5 * 10**9, 10**9, QUERIES, False),
}


REGION_BYTES, FRAME_BYTES, VECTOR_BYTES = 36 * 2048 * 2, 16 * 2048 * 2, 1024 * 4


def show(costs: dict[str, Any], results: Path | None = None) -> None:
    """Print all tables as Markdown; with ``results`` what the jobs of a finished run took."""
    stages, families = costs["stages"], costs["families"]
    if "cpu_seconds" in costs:
        print(f"Measured in {costs['cpu_seconds']:.0f} CPU seconds.\n")
    _stages(stages)
    if results is not None:
        _peaks(results)
    _families(families)
    _sets(stages, families)
    _storage(stages, families)
    _limits(families)
    _candidates(families)


def _stages(stages: dict[str, float]) -> None:
    _head("stage, and what of", "one core")
    for name, value in stages.items():
        _row(name, _bytes(value) if name.startswith("stored") else _seconds(value))


def _peaks(results: Path) -> None:
    """Time and peak memory of the jobs of every rule, from Snakemake's own benchmark files."""
    _head("rule", "jobs", "seconds a job, median", "most", "peak memory of a job")
    for folder in sorted((results / "logs").iterdir()):
        files = sorted(folder.glob("*.tsv")) or [folder] * (folder.suffix == ".tsv")
        if files:
            jobs = pd.concat([pd.read_csv(file, sep="\t", na_values="-") for file in files])
            took = jobs["s"]
            _row(
                f"`{folder.name.removesuffix('.tsv')}`",
                *(str(len(jobs)), f"{took.median():.1f}", f"{took.max():.1f}"),
                f"{jobs['max_rss'].max():.0f} MB",
            )


def _families(families: dict[str, Any]) -> None:
    _head(
        "model",
        *("train a pair, an epoch", "encode an item", "a caption", "score a pair", "held an item"),
    )
    for name, cost in families.items():
        trained = _seconds(cost["train, pair"]) if "train, pair" in cost else ""
        for kind, score in cost["score, pair"].items():
            _row(
                f"`{name}`, `{kind}`",
                *(trained, _seconds(cost["encode, item"]), _seconds(cost["encode, caption"])),
                *(_seconds(score), _bytes(cost["held, item"])),
            )


def _sets(stages: dict[str, float], families: dict[str, Any]) -> None:
    """Core-hours of every stage that all share, then of each model's training and scoring."""
    _head("core-hours", *SIZES)
    decode = stages["decode clip, 16 frames"]
    frame = stages["encode picture"]
    _row(
        "encode items",
        *(_hours(s.items * (decode + 16 * frame if s.clips else frame)) for s in SIZES.values()),
    )
    _row(
        "encode captions", *(_hours(s.captions * stages["encode caption"]) for s in SIZES.values())
    )
    _row(
        "align",
        *(
            _hours(s.captions * stages["align, pair"] + stages["align, once"])
            for s in SIZES.values()
        ),
    )
    for name, cost in families.items():
        if "train, pair" in cost:
            trained = [EPOCHS * s.captions * cost["train, pair"] for s in SIZES.values()]
            _row(f"train `{name}`, {EPOCHS} epochs", *map(_hours, trained))
    for name, cost in families.items():
        for kind, score in cost["score, pair"].items():
            _row(
                f"score `{name}`, `{kind}`",
                *(_hours(_scored(s, cost, score)) for s in SIZES.values()),
            )
    for name in ("rank, pair", "ASP, pair", "PMRP, pair"):
        pairs = [s.test_items * s.test_captions * stages[name] for s in SIZES.values()]
        _row(name.replace(", pair", " the matrix"), *map(_hours, pairs))
    queries = [s.test_items + s.test_captions for s in SIZES.values()]
    _row("intervals", *(_hours(n * stages["intervals, query"]) for n in queries))


def _storage(stages: dict[str, float], families: dict[str, Any]) -> None:
    _head("bytes", *SIZES)
    _row(
        "vectors of items and captions, width 1,024",
        *(_bytes(4096 * (s.items + s.captions)) for s in SIZES.values()),
    )
    _row(
        "regions of items, 36 x 2,048, float16",
        *(_bytes(147_456 * s.items) for s in SIZES.values()),
    )
    _row(
        "frames of items, 16 x 2,048, float16", *(_bytes(65_536 * s.items) for s in SIZES.values())
    )
    _row(
        "similarity matrix",
        *(_bytes(4 * s.test_items * s.test_captions) for s in SIZES.values()),
    )
    for name, cost in families.items():
        _row(
            f"held to score `{name}`",
            *(
                _bytes(s.test_items * cost["held, item"] + s.test_captions * cost["held, caption"])
                for s in SIZES.values()
            ),
        )


def _limits(families: dict[str, Any]) -> None:
    """Largest galleries for two budgets and for memory, each by itself."""
    _head(
        "model",
        "gallery that one query scores in 1 s, one core",
        f"gallery that {QUERIES:,} queries score in a day, 100 cores",
        "items that 64 GB hold",
    )
    for name, cost in families.items():
        for kind, score in cost["score, pair"].items():
            _row(
                f"`{name}`, `{kind}`",
                *(_number(1 / score), _number(100 * DAY / (QUERIES * score))),
                _number(64 * GB / cost["held, item"]),
            )


def _candidates(families: dict[str, Any]) -> None:
    _head(
        "model",
        f"exact score of {CANDIDATES:,} candidates, a query",
        f"{QUERIES:,} queries, core-hours",
        "against all of a million, core-hours",
    )
    for name, cost in families.items():
        for kind, score in cost["score, pair"].items():
            one = CANDIDATES * score
            _row(
                f"`{name}`, `{kind}`",
                *(_seconds(one), _hours(one * QUERIES), _hours(1e6 * QUERIES * score)),
            )


def _scored(size: Size, cost: dict[str, Any], score: float) -> float:
    """Seconds of encoding a test split and scoring all its pairs."""
    encoded = size.test_items * cost["encode, item"] + size.test_captions * cost["encode, caption"]
    return encoded + size.test_items * size.test_captions * score


def _head(*cells: str) -> None:
    print("\n| " + " | ".join(cells) + " |")
    print("|" + "---|" * len(cells))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{_number(value / 1e-9)} ns"


def _hours(value: float) -> str:
    hours = value / HOUR
    return "< 0.01" if hours < 0.01 else _number(hours)


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def _number(value: float) -> str:
    """Two digits that mean something, written for a person."""
    for word, size in (("10^12", 1e12), ("billion", 1e9), ("million", 1e6)):
        if value >= size:
            return (
                f"{value / size:.2g} x {word}" if word == "10^12" else f"{value / size:.2g} {word}"
            )
    return f"{float(f'{value:.2g}'):,g}"
