"""``results/sweeps/<name>.csv``: one model with several settings, and the one chosen on val.

A row is an entry and a similarity. Metrics are those of the test split, means over seeds with the
interval of that mean; nothing of them is looked at to choose. The combination with the best mean
validation figure is chosen, the first of the grid among equals, for the model's first similarity:
the one that its runs were validated with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polymatch.evaluation import RetrievalRanks, bootstrap_intervals, metrics_of
from polymatch.reporting.summary import SIZES, run_directory
from polymatch.settings.config import Config

VALIDATION = ("val_rsum", "val_r1", "val_t2v_r1", "val_v2t_r1")


def sweep_table(config: Config, name: str, space: Path) -> pd.DataFrame:
    """Collect what was measured of a sweep.

    Args:
        config: the configuration that holds the sweep.
        name: the sweep.
        space: folder of the data set and encoder, which holds ``runs/<model>/<seed>/``.

    Returns:
        A frame as described by ``workflow/schemas/sweep.schema.json``, with a column for each key
        of the grid: combinations in the grid's order, then the models beside them.

    Raises:
        ConfigError: there is no such sweep.
    """
    sweep = config.sweep_entry(name)
    choices = {point.name: point.choice for point in config.points[name]}
    table = pd.DataFrame(
        [
            _row(config, model, kind, space)
            for model in config.sweep_models(name)
            for kind in config.model_entry(model).scored_by
        ]
    )
    on_grid = table["model"].isin(list(choices))
    table.insert(2, "part", on_grid.map({True: "grid", False: "beside"}))
    for place, key in enumerate(sweep.grid, start=3):
        # Empty beside the grid, also where such a model has the key: it may make no use of it.
        # Objects, since a column of 3 and nothing would otherwise be written as 3.0 and nothing.
        values = [choices.get(model, {}).get(key) for model in table["model"]]
        table.insert(place, key, pd.Series(values, dtype=object))
    best = table.loc[on_grid, sweep.select].astype(float).idxmax()
    table.insert(3 + len(sweep.grid), "chosen", table.index == best)
    return table


def best_entry(config: Config, name: str, table: pd.DataFrame) -> str:
    """The chosen combination as YAML: an entry under ``models:`` with all its settings.

    It is named ``<model>.<sweep>_best``, so that it can stand beside the entry that it came from.
    """
    sweep = config.sweep_entry(name)
    row = table[table["chosen"]].iloc[0]
    settings = config.model_entry(row["model"]).model_dump(mode="json")
    tried = sum(table["part"].eq("grid") & table["similarity"].eq(row["similarity"]))
    lines = [
        f"# {row['model']}: the best of {tried} combinations by {sweep.select} on val"
        f" ({row[sweep.select]:.2f}, mean over {row['seeds']} seed(s)).",
        "# Beside the configuration: snakemake TARGET --configfile config/config.yaml THIS_FILE",
        *_yaml({"models": {f"{sweep.model}.{name}_best": settings}}),
    ]
    return "\n".join(lines) + "\n"


def _row(config: Config, model: str, kind: str, space: Path) -> dict[str, Any]:
    entry, runs = config.model_entry(model), config.runs_of(model)
    folders = [run_directory(space, run) for run in runs]
    ranks = [RetrievalRanks.load(folder / f"{kind}.ranks.parquet") for folder in folders]
    cost = json.loads((folders[0] / f"{kind}.latency.json").read_text(encoding="utf-8"))
    return {
        "model": model,
        "similarity": kind,
        "seeds": len(runs),
        **_validation(folders, validated=kind == entry.scored_by[0]),
        **mean_metrics(config, ranks),
        "latency_ms": cost["latency_ms"],
        "memory_mb": cost["memory_mb"],
        **{column: cost[column] for column in SIZES},
    }


def _validation(folders: list[Path], validated: bool) -> dict[str, float | None]:
    """Means over seeds of the kept epochs' figures; none for a similarity that val never saw."""
    if not validated:
        return dict.fromkeys(VALIDATION)
    histories = [pd.read_csv(folder / "history.csv") for folder in folders]
    kept = pd.concat([history[history["kept"]] for history in histories])
    return {column: float(kept[column].mean()) for column in VALIDATION}


def mean_metrics(config: Config, ranks: list[RetrievalRanks]) -> dict[str, float]:
    """Means over seeds of a model's metrics on test, each with the 95% bounds of that mean."""
    settings = config.evaluation
    seeds = [metrics_of(each, settings.k, settings.metrics) for each in ranks]
    bounds = bootstrap_intervals(
        ranks, settings.k, settings.resamples, settings.seed, measures=settings.metrics
    )
    row = {}
    for metric in seeds[0]:
        row[metric] = float(np.mean([each[metric] for each in seeds]))
        row[f"{metric}_lo"], row[f"{metric}_hi"] = bounds[metric]
    return row


def _yaml(section: Mapping[str, Any], indent: str = "") -> list[str]:
    # Scalars and lists as in JSON, which YAML takes as they are.
    lines = []
    for key, value in section.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", *_yaml(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {json.dumps(value)}")
    return lines
