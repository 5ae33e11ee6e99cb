"""What the page shows beside single models: sweeps, studies, tables of sizes, surrogates, rules."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.data.tables import read_table
from polymatch.reporting.page.packed import packed
from polymatch.settings.config import Config

TRIALS = 500
"""Trials of a study that are shown, the best ones."""
_BOUNDED = ("t2v_r1", "v2t_r1", "rsum")
_SWEEP = ("model", "similarity", "part", "chosen", "seeds", "val_rsum", "latency_ms", "memory_mb")
_GRAPH_LIMIT = 400_000


def studies(config: Config, results: Path, space: Path, beside: Sequence[Path]) -> dict[str, Any]:
    """Sweeps, studies and tables that are there, surrogates' figures, and the graph of the rules.

    Args:
        config: the configuration.
        results: the folder of all results.
        space: the folder of the data set and encoder.
        beside: tables that were asked for apart: ``sweeps/NAME.csv``, ``tables/NAME.csv`` and
            ``tuning/NAME/trials.csv`` below ``results``.
    """
    found: dict[str, Any] = {"sweeps": {}, "tuning": {}, "tables": {}, "external": {}}
    for path in beside:
        if path.name == "trials.csv":
            found["tuning"][path.parent.name] = _trials(path)
        elif path.parent.name == "sweeps":
            found["sweeps"][path.stem] = _sweep(config, path)
        elif path.parent.name == "tables":
            found["tables"][path.stem] = packed(read_table(path, "size_table"), digits=5)
    for name in config.external:
        found["external"][name] = packed(
            read_table(results / "external" / f"{name}.csv", "external"), digits=5
        )
    if (teachers := results / "teachers.csv").is_file():
        found["teachers"] = packed(read_table(teachers, "teachers"), digits=4)
    if graph := _graph(results / "figures" / "rulegraph.svg"):
        found["rulegraph"] = graph
    return {key: value for key, value in found.items() if value}


def _sweep(config: Config, path: Path) -> dict[str, Any]:
    table = read_table(path, "sweep")
    grid = list(config.sweeps[path.stem].grid) if path.stem in config.sweeps else []
    bounds = [f"{metric}{end}" for metric in _BOUNDED for end in ("", "_lo", "_hi")]
    return {"grid": grid, **packed(table, [*_SWEEP, *grid, *bounds], digits=5)}


def _trials(path: Path) -> dict[str, Any]:
    trials = read_table(path, "trials")
    if "value" in trials:
        best = pd.to_numeric(trials["value"]).rank(ascending=False, method="first")
        trials = trials[best.isna() | (best <= TRIALS)].head(TRIALS)
    return packed(trials, digits=5)


def _graph(path: Path) -> str | None:
    """A drawing as a data URL: shown as a picture, so that nothing in it can run."""
    if not path.is_file() or path.stat().st_size > _GRAPH_LIMIT:
        return None
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
