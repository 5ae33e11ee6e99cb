"""What the page shows of single models and rows: settings, training, seeds, cost, curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.data.tables import read_table
from polymatch.reporting.page.board import row_key
from polymatch.reporting.page.packed import packed, plain, thinned
from polymatch.reporting.summary import run_directory
from polymatch.settings.config import Config

EPOCHS = 150
"""Epochs of a training curve; of more, evenly spaced ones are shown."""
HISTORY = (
    "epoch",
    "loss",
    "val_loss",
    "val_t2v_r1",
    "val_v2t_r1",
    "val_rsum",
    "temperature",
    "lr",
    "kept",
    "seconds",
)
_OF_RUNS = (
    "seed",
    "t2v_r1",
    "t2v_r5",
    "t2v_r10",
    "t2v_medr",
    "v2t_r1",
    "v2t_r5",
    "v2t_r10",
    "v2t_medr",
    "rsum",
    "epochs_kept",
    "train_seconds",
    "logvar_mean",
    "logvar_at_lower",
    "logvar_at_upper",
    "config_hash",
    "code_hash",
)
_GROWTH = ("gallery", "queries", "latency_ms", "latency_lo_ms", "latency_hi_ms", "memory_mb")
_COSTS = ("encoding_ms", "scoring_ms", "single_query_ms", "memory_mb", "memory_added_mb")


def of_models(config: Config, space: Path) -> dict[str, Any]:
    """Settings, papers and training curves of every model, by name."""
    return {
        name: {
            "family": entry.family,
            "starts_from": entry.starts_from,
            "kinds": entry.scored_by,
            "papers": entry.citations,
            "surrogate": config.surrogate_model(name) if entry.needs_surrogate else None,
            "settings": [list(each) for each in settings_of(config, name)],
            "histories": _histories(config, name, space) if entry.trained else {},
        }
        for name, entry in config.models.items()
    }


def settings_of(config: Config, name: str) -> list[tuple[str, str, bool]]:
    """Every setting of a model as text, and whether others of its family have another value."""
    flat = {
        other: dict(_flat(entry.model_dump(mode="json")))
        for other, entry in config.models.items()
        if entry.family == config.models[name].family
    }
    return [
        (key, _said(value), any(other.get(key) != value for other in flat.values()))
        for key, value in flat[name].items()
        if key != "family"
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found


def _said(value: Any) -> str:
    return "not set" if value is None else value if isinstance(value, str) else json.dumps(value)


def _histories(config: Config, name: str, space: Path) -> dict[str, Any]:
    found = {}
    for run in config.runs_of(name):
        history = read_table(run_directory(space, run) / "history.csv", "history")
        kept = history[history["kept"]]
        shown = pd.concat([thinned(history, EPOCHS), kept]).drop_duplicates("epoch")
        there = [c for c in HISTORY if c in shown and shown[c].notna().any()]
        found[str(run.seed)] = packed(shown.sort_values("epoch"), there, digits=4)
    return found


def of_rows(config: Config, space: Path, summary: pd.DataFrame, figures: Path) -> dict[str, Any]:
    """What was measured of every model and similarity, by the row's name.

    Args:
        config: the configuration.
        space: folder that holds ``runs/``.
        summary: a row for each run and similarity.
        figures: folder of the figures of all models, with the tables that they are drawn from.
    """
    of_all = {
        schema: read_table(figures / f"{schema}.csv", schema)
        for schema in ("recall_curves", "rank_histograms")
        if (figures / f"{schema}.csv").is_file()
    }
    return {
        row_key((name, kind)): _row(config, space, summary, name, kind)
        | {
            part: packed(_own(table, name, kind).drop(columns=["model", "similarity"]), digits=4)
            for part, table in of_all.items()
        }
        for name in config.models
        for kind in config.model_entry(name).scored_by
    }


def _row(
    config: Config, space: Path, summary: pd.DataFrame, name: str, kind: str
) -> dict[str, Any]:
    own = _own(summary, name, kind)
    folder = run_directory(space, config.runs_of(name)[0])
    tables: dict[str, tuple[str, Sequence[str] | None]] = {
        "growth": ("growth", _GROWTH),
    }
    if config.simulated(name):
        columns = ("condition", "value", *(f"simulated_t2v_r1{end}" for end in ("", "_lo", "_hi")))
        tables["analog"] = ("analog", columns)
    row: dict[str, Any] = {
        "runs": packed(own, [c for c in _OF_RUNS if c in own and own[c].notna().any()]),
        "cost": {column: plain(own[column].iloc[0], 5) for column in _COSTS},
        "surrogate": {
            column.removeprefix("surrogate_"): [plain(value, 4) for value in own[column]]
            for column in map(str, own.columns)
            if column.startswith("surrogate_") and own[column].notna().any()
        },
    }
    for part, (schema, kept) in tables.items():
        path = folder / f"{kind}.{part}.csv"
        if path.is_file():
            table = read_table(path, schema)
            if len(table):
                row[part] = packed(table, kept, digits=5)
    return {key: value for key, value in row.items() if value}


def _own(table: pd.DataFrame, name: str, kind: str) -> pd.DataFrame:
    return table[(table["model"] == name) & (table["similarity"] == kind)]
