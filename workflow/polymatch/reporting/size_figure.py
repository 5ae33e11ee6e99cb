"""R-sum against what is stored: of a table's rows, and of a pruned model at several rates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polymatch.reporting.figures import MARKERS

X, Y = "stored_mb", "rsum"
_DASHES = ("-", "--", ":", "-.")


def table_figure(table: pd.DataFrame) -> Figure:
    """Draw a table of sizes, as :func:`.size_table.size_table` returns it, a marker a row."""
    figure, axes = _panel()
    for (_, row), marker in zip(table.iterrows(), itertools.cycle(MARKERS), strict=False):
        label = f"{row['label']}: {row['about']}" if row["about"] else row["label"]
        _points(axes, row.to_frame().T, marker, "", label)
        if row["reference"]:
            _reference(axes, row[X], row[Y], "reference")
    return _finished(figure, axes)


def draw_rates(grid: pd.DataFrame, beside: pd.DataFrame, others: Sequence[str]) -> Figure:
    """Draw a sweep over ``rate``: a point a rate, a line for each choice of the ``others``.

    Args:
        grid: combinations, with columns ``rate``, ``similarity``, and one for each of ``others``.
        beside: the models beside them: what was pruned, which every point is to be held against,
            by the grid's similarities if it has them.
        others: the other keys of the grid.
    """
    figure, axes = _panel()
    keys = [*others, "similarity"]
    styles = zip(itertools.cycle(MARKERS), itertools.cycle(_DASHES), strict=False)
    for number, ((choice, rows), (marker, dashes)) in enumerate(
        zip(grid.groupby(keys, sort=False), styles, strict=False)
    ):
        said = [f"{key} {value}" for key, value in zip(others, choice, strict=False)]
        rows = rows.sort_values("rate")
        _points(axes, rows, marker, dashes, ", ".join([*said, str(choice[-1])]))
        for _, row in rows.iterrows():
            axes.annotate(
                f"{row['rate']:g}",
                (row[X], row[Y]),
                textcoords="offset points",
                xytext=(6, -11 if number % 2 else 5),
                fontsize="x-small",
            )
        chosen = rows[rows["chosen"]]
        if len(chosen):
            axes.plot(
                chosen[X],
                chosen[Y],
                "o",
                color="C0",
                ms=12,
                fillstyle="none",
                label="chosen on val",
            )
    alike = beside["similarity"].isin(grid["similarity"])
    for _, row in (beside[alike] if alike.any() else beside).iterrows():
        _points(axes, row.to_frame().T, "*", "", f"{row['model']} ({row['similarity']})")
        _reference(axes, row[X], row[Y], "")
    axes.set_title("numbers: rate of pruning", fontsize="small")
    return _finished(figure, axes)


def _panel() -> tuple[Figure, Axes]:
    return plt.subplots(figsize=(7.5, 4.5), layout="constrained")


def _points(axes: Axes, rows: pd.DataFrame, marker: str, dashes: str, label: str) -> None:
    x, y = rows[X].astype(float), rows[Y].astype(float)
    bounds = [y - rows[f"{Y}_lo"].astype(float), rows[f"{Y}_hi"].astype(float) - y]
    axes.errorbar(
        x,
        y,
        yerr=bounds,
        color="k",
        marker=marker,
        linestyle=dashes,
        markersize=5,
        capsize=2,
        linewidth=1,
        elinewidth=0.6,
        label=label,
    )


def _reference(axes: Axes, x: float, y: float, label: str) -> None:
    """Lines through a point: what is left of one is smaller, what is above the other better."""
    axes.axhline(y, color="0.6", linestyle=":", linewidth=1, zorder=0, label=label or None)
    axes.axvline(x, color="0.6", linestyle=":", linewidth=1, zorder=0)


def _finished(figure: Figure, axes: Axes) -> Figure:
    axes.set(
        xlabel="size of the stored weights (MB)",
        ylabel="R-sum on test, mean over seeds,\n95% interval over items",
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return figure
