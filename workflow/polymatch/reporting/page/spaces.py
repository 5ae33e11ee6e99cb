"""Points of the pictures of a space, from the table beside the figure: both planes by pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polymatch.data.tables import read_table
from polymatch.reporting.page.packed import plain
from polymatch.reporting.summary import run_directory
from polymatch.settings.config import Config

PLANES = ("pca", "tsne")
SIDES = ("item", "caption")
POINTS = 20_000
"""Points of all pictures on the page together."""


def spaces_of(config: Config, space: Path) -> dict[str, Any]:
    """What is drawn of the pictured runs, by the row's name; runs without a picture are left out.

    Of each: ``numbers`` by name (modality gap, perplexity), ``groups``, the names of the groups,
    the largest first, and ``pairs``, for each drawn pair ``[item id, number of its group, x and y
    of the item and of its caption by PCA, the same four by t-SNE]``.
    """
    pictured = config.pictured()
    most = min(config.report.points, POINTS // max(1, len(pictured))) // 2
    found = {}
    for run, kind in pictured:
        path = run_directory(space, run) / f"{kind}.space.csv"
        if path.is_file():
            found[f"{run.model}/{kind}"] = _space(
                read_table(path, "space"), max(1, most), config.report.seed
            )
    return found


def _space(table: pd.DataFrame, most: int, seed: int) -> dict[str, Any]:
    points = table[table["panel"].isin(PLANES)]
    pairs = points["pair"].drop_duplicates().astype(int).to_numpy()
    drawn = np.sort(np.random.default_rng(seed).permutation(pairs)[:most])
    named = points.drop_duplicates("pair").set_index("pair")
    counts = named["group"].value_counts()
    groups = counts.sort_index().sort_values(ascending=False, kind="stable").index.tolist()
    number = {group: place for place, group in enumerate(groups)}
    keys = zip(points["panel"], points["series"], points["pair"], strict=True)
    place = dict(zip(keys, zip(points["x"], points["y"], strict=True), strict=True))
    rows = []
    for pair in drawn.tolist():
        group = named.loc[pair, "group"]
        at = [
            plain(value, 4)
            for panel in PLANES
            for side in SIDES
            for value in place[panel, side, pair]
        ]
        rows.append([str(named.loc[pair, "item_id"]), number.get(group, -1), *at])
    titles = table[table["panel"] == "title"]
    return {
        "numbers": {n: plain(v, 4) for n, v in zip(titles["series"], titles["y"], strict=True)},
        "groups": [str(group) for group in groups],
        "of": len(pairs),
        "pairs": rows,
    }
