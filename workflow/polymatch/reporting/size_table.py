"""``results/tables/<name>.csv``: models beside one of them, with what each takes and gives.

The table of "Dual Encoding++", ICCE-Asia 2023: sizes as shares of the reference's, recalls, mean
rank and their sums by direction. Beyond it: sizes are those of the files as they are stored (there,
of pruned models, the share of weights that are not zero), latency and memory are measured, R-sums
have intervals, and each row is tested against the reference. Figures are means over seeds, for the
similarity that the runs were validated with; sizes and times are those of the first seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.evaluation import RetrievalRanks
from polymatch.reporting.leaderboard import compare
from polymatch.reporting.summary import SIZES, run_directory
from polymatch.reporting.sweeps import mean_metrics
from polymatch.settings.config import Config
from polymatch.settings.tables import TableRow

RECALLS = ("r1", "r5", "r10")
_HEADINGS = {
    "label": "row",
    "about": "what it is",
    "size_ratio": "size ratio",
    "stored_mb": "stored (MB)",
    "nonzero_parameters": "weights not zero",
    "latency_ms": "latency (ms)",
    "memory_mb": "memory (MB)",
}


def size_table(config: Config, name: str, space: Path) -> pd.DataFrame:
    """Collect what was measured of a table's rows.

    Args:
        config: the configuration that holds the table.
        name: the table.
        space: folder of the data set and encoder, which holds ``runs/<model>/<seed>/``.

    Returns:
        A frame as described by ``workflow/schemas/size_table.schema.json``, in the rows' order.

    Raises:
        ConfigError: there is no such table.
    """
    rows = config.table_rows(name)
    ranks = {row.label: _ranks(config, row, space) for row in rows}
    table = pd.DataFrame([_row(config, row, ranks[row.label], space) for row in rows])
    reference = config.tables[name].compared_with
    stored = table.loc[table["label"] == reference, "stored_mb"].item()
    table.insert(5, "size_ratio", table["stored_mb"] / stored)
    # A row is told by its label: two may be the same entry.
    keyed = {(label, ""): of_row for label, of_row in ranks.items()}
    tests = compare(list(keyed), (reference, ""), keyed, config.evaluation)
    return table.assign(
        reference=table["label"] == reference,
        rsum_vs_reference=[test.difference for test, _ in tests],
        rsum_vs_reference_lo=[test.low for test, _ in tests],
        rsum_vs_reference_hi=[test.high for test, _ in tests],
        p_vs_reference=[p for _, p in tests],
    )


def as_markdown(table: pd.DataFrame) -> str:
    """The table for people: one figure behind the point, R-sum with its interval."""
    metrics = [f"{way}_{m}" for way in ("v2t", "t2v") for m in (*RECALLS, "meanr", "rsum")]
    shown = pd.DataFrame({"label": table["label"], "about": table["about"]})
    shown["size_ratio"] = table["size_ratio"].map("{:.2f}".format)
    shown["stored_mb"] = table["stored_mb"].map("{:.2f}".format)
    shown["nonzero_parameters"] = table["nonzero_parameters"].map("{:,}".format)
    for column in ("latency_ms", "memory_mb", *metrics):
        shown[column] = table[column].map("{:.1f}".format)
    bounds = zip(table["rsum"], table["rsum_lo"], table["rsum_hi"], strict=True)
    shown["rsum"] = [f"{mean:.1f} [{low:.1f}, {high:.1f}]" for mean, low, high in bounds]
    shown["p"] = [
        "reference" if itself else f"{p:.3f}"
        for itself, p in zip(table["reference"], table["p_vs_reference"], strict=True)
    ]
    heads = [_HEADINGS.get(name, name.replace("_", " ")) for name in map(str, shown)]
    lines = [heads, ["---"] * len(heads), *shown.to_numpy(dtype=str).tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _ranks(config: Config, row: TableRow, space: Path) -> list[RetrievalRanks]:
    file = f"{row.entry.scored_by[0]}.ranks.parquet"
    runs = config.runs_of(row.name)
    return [RetrievalRanks.load(run_directory(space, run) / file) for run in runs]


def _row(config: Config, row: TableRow, ranks: list[RetrievalRanks], space: Path) -> dict[str, Any]:
    runs, kind = config.runs_of(row.name), row.entry.scored_by[0]
    first = run_directory(space, runs[0])
    cost = json.loads((first / f"{kind}.latency.json").read_text(encoding="utf-8"))
    metrics = mean_metrics(config, ranks)
    figures: dict[str, float] = {}
    for way in ("v2t", "t2v"):
        for metric in (*RECALLS, "meanr"):
            figures |= {k: metrics[k] for k in _with_bounds(f"{way}_{metric}")}
        figures[f"{way}_rsum"] = sum(metrics[f"{way}_{recall}"] for recall in RECALLS)
    return {
        "label": row.label,
        "about": row.about,
        "model": row.name,
        "similarity": kind,
        "seeds": len(runs),
        **{column: cost[column] for column in (*SIZES, "latency_ms", "memory_mb")},
        **figures,
        **{k: metrics[k] for k in _with_bounds("rsum")},
    }


def _with_bounds(metric: str) -> list[str]:
    return [metric, f"{metric}_lo", f"{metric}_hi"]
