"""Maps of surrogates' errors over the moments, from the tables beside their figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polymatch.data.tables import read_table
from polymatch.reporting.page.packed import plain, thinned
from polymatch.settings.config import Config

PAIRS = 200
"""Pairs of the teacher on a map."""
MAPS = 30
"""Maps on the page; of more surrogates the first are shown."""
ERRORS = ("logit_error", "probability_error")


def errors_of(config: Config, space: Path) -> dict[str, Any]:
    """The map of each fitted surrogate, by the model that it is named after.

    Of each: the grid's axes ``ed`` [E] and ``spread`` [S], sqrt(vd) / ed; each of :data:`ERRORS`,
    [S * E] with ed running faster; ``inside``, likewise, 1 where the polynomial was fitted;
    ``pairs`` of the teacher and points along the ``edge`` of the region, both as (ed, spread).
    """
    names = dict.fromkeys(
        config.surrogate_model(name)
        for name, entry in config.models.items()
        if entry.needs_surrogate
    )
    found = {}
    for name in list(names)[:MAPS]:
        path = space / "surrogates" / f"{name}.error_map.csv"
        if path.is_file():
            found[name] = _map(read_table(path, "error_map"))
    return found


def _map(table: pd.DataFrame) -> dict[str, Any]:
    table = table.assign(spread=np.sqrt(table["vd"]) / table["ed"])
    grid, pairs, edge = (table[table["kind"] == k] for k in ("grid", "teacher", "region"))
    side = round(len(grid) ** 0.5)

    def numbers(values: Any, digits: int = 3) -> list[Any]:
        return [plain(value, digits) for value in values]

    def points(rows: pd.DataFrame) -> list[list[Any]]:
        return [numbers(point, 4) for point in zip(rows["ed"], rows["spread"], strict=True)]

    return {
        "ed": numbers(grid["ed"].iloc[:side], 5),
        "spread": numbers(grid["spread"].iloc[::side], 5),
        **{name: numbers(grid[name]) for name in ERRORS},
        "inside": grid["inside"].astype(int).tolist(),
        "pairs": points(thinned(pairs, PAIRS)),
        "edge": points(edge),
    }
