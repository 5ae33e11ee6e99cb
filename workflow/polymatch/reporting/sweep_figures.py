"""Figures of sweeps: lines over one key, heat maps over two, a ranking over more.

A sweep over the ``rate`` of a pruned model is drawn over what its points take on disk instead.

All can be read in grey: lines differ in dashes, points in markers, and cells carry their numbers.
What was chosen on val is marked in each panel; the panels of the test split played no part in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from polymatch.reporting.figures import MARKERS
from polymatch.reporting.size_figure import draw_rates
from polymatch.settings.sweeps import Point, SweepSettings

DASHES = ("--", ":", "-.", (0, (1, 4)), (0, (8, 3)))
LABELS = {
    "t2v_r1": "t2v R@1 on test (%)",
    "v2t_r1": "v2t R@1 on test (%)",
    "val_rsum": "R-sum on val",
    "val_r1": "R@1 on val, both directions (%)",
    "val_t2v_r1": "t2v R@1 on val (%)",
    "val_v2t_r1": "v2t R@1 on val (%)",
}


def draw_sweep(table: pd.DataFrame, sweep: SweepSettings, points: Sequence[Point]) -> Figure:
    """Draw a sweep's table.

    Args:
        table: as :func:`polymatch.reporting.sweeps.sweep_table` returns it.
        sweep: its section of the configuration.
        points: its combinations.
    """
    # The values as the configuration has them, not as text of a CSV or as NumPy's numbers.
    values = pd.DataFrame([point.choice for point in points], dtype=object)
    values.index = pd.Index([point.name for point in points])
    grid = table[table["part"] == "grid"].drop(columns=list(sweep.grid))
    grid = grid.join(values, on="model")
    beside = table[table["part"] == "beside"]
    if "rate" in sweep.grid:
        return draw_rates(grid, beside, [key for key in sweep.grid if key != "rate"])
    draw = {1: _lines, 2: _maps}.get(len(sweep.grid), _ranking)
    return draw(grid, beside, sweep)


def _lines(grid: pd.DataFrame, beside: pd.DataFrame, sweep: SweepSettings) -> Figure:
    (key,) = sweep.grid
    metrics = ("t2v_r1", "v2t_r1", sweep.select)
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    shown = list(grid[key].unique())
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in shown)
    position = {value: value if numbers else at for at, value in enumerate(shown)}
    for axes, metric in zip(panels, metrics, strict=True):
        for (kind, rows), marker in zip(
            grid.groupby("similarity", sort=False), itertools.cycle(MARKERS), strict=False
        ):
            rows = rows.assign(x=rows[key].map(position).astype(float)).sort_values("x")
            _one_line(axes, rows, metric, marker, numbers, f"grid of {sweep.model} ({kind})")
        _levels(axes, beside, metric)
        axes.set(xlabel=key, ylabel=LABELS[metric])
        if numbers and min(shown) > 0 and max(shown) / min(shown) >= 20:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
        if not numbers:
            axes.margins(x=0.25)
        axes.set_xticks([position[value] for value in shown], [_text(value) for value in shown])
        axes.grid(alpha=0.3)
    _legend(figure, panels[0])
    return figure


def _one_line(
    axes: Axes, rows: pd.DataFrame, metric: str, marker: str, joined: bool, label: str
) -> None:
    if rows[metric].isna().all():  # a similarity that val never saw
        return
    bounds = None
    if f"{metric}_lo" in rows:
        bounds = [rows[metric] - rows[f"{metric}_lo"], rows[f"{metric}_hi"] - rows[metric]]
    axes.errorbar(
        rows["x"],
        rows[metric],
        yerr=bounds,
        color="k",
        marker=marker,
        linestyle="-" if joined else "",
        markersize=4,
        capsize=2,
        elinewidth=0.7,
        label=label,
    )
    chosen = rows[rows["chosen"]]
    if len(chosen):
        _ring(axes, chosen["x"], chosen[metric])


def _ring(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    axes.plot(x, y, "o", color="C0", markersize=12, fillstyle="none", label="chosen on val")


def _levels(axes: Axes, beside: pd.DataFrame, metric: str, upright: bool = False) -> None:
    """A line across the panel for each model beside the grid."""
    for (_, row), dashes in zip(beside.iterrows(), itertools.cycle(DASHES), strict=False):
        if pd.notna(row[metric]):
            draw = axes.axvline if upright else axes.axhline
            label = f"{row['model']} ({row['similarity']})"
            draw(row[metric], color="0.45", linestyle=dashes, label=label)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small"
    )


def _maps(grid: pd.DataFrame, beside: pd.DataFrame, sweep: SweepSettings) -> Figure:
    down, across = sweep.grid
    kind = grid["similarity"].iloc[0]  # the one that was validated
    rows = grid[grid["similarity"] == kind]
    sides = [list(rows[key].unique()) for key in (down, across)]
    width, height = 1.4 + 1.1 * len(sides[1]), 1.4 + 0.7 * len(sides[0])
    figure, panels = plt.subplots(
        1, 2, figsize=(max(8.0, 2 * width), max(3.2, height)), layout="constrained"
    )
    for axes, metric in zip(panels, (sweep.select, "t2v_r1"), strict=True):
        _one_map(axes, rows, metric, (down, across), sides)
        others = [
            f"{row['model']} ({row['similarity']}) {row[metric]:.1f}"
            for _, row in beside.iterrows()
            if pd.notna(row[metric])
        ]
        axes.set_title("\n".join([LABELS[metric], *others]), fontsize="small")
    figure.suptitle(f"grid of {sweep.model} ({kind}); box: chosen on val", fontsize="medium")
    return figure


def _one_map(
    axes: Axes, rows: pd.DataFrame, metric: str, keys: tuple[str, str], sides: list[list]
) -> None:
    cells = np.full([len(side) for side in sides], np.nan)
    span = rows[metric].max() - rows[metric].min()
    for _, row in rows.iterrows():
        at = tuple(side.index(row[key]) for side, key in zip(sides, keys, strict=True))
        cells[at] = row[metric]
        text = f"{row[metric]:.1f}"
        if f"{metric}_lo" in row:
            text += f"\n[{row[f'{metric}_lo']:.1f}, {row[f'{metric}_hi']:.1f}]"
        dark = span > 0 and row[metric] - rows[metric].min() > 0.6 * span
        colour = "white" if dark else "black"
        axes.text(at[1], at[0], text, ha="center", va="center", color=colour, fontsize="small")
        if row["chosen"]:
            corner = (at[1] - 0.46, at[0] - 0.46)
            axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="C1", linewidth=3))
    axes.imshow(cells, cmap="Greys", aspect="auto", alpha=0.85)
    axes.set(ylabel=keys[0], xlabel=keys[1])
    axes.set_yticks(range(len(sides[0])), [_text(value) for value in sides[0]])
    axes.set_xticks(range(len(sides[1])), [_text(value) for value in sides[1]])


def _ranking(grid: pd.DataFrame, beside: pd.DataFrame, sweep: SweepSettings) -> Figure:
    """One row for each combination, best on val first."""
    rows = grid[grid["similarity"] == grid["similarity"].iloc[0]]
    rows = rows.sort_values(sweep.select, ascending=False, kind="stable", ignore_index=True)
    figure, panels = plt.subplots(
        1, 2, figsize=(10, 1.5 + 0.22 * len(rows)), sharey=True, layout="constrained"
    )
    height = rows.index.to_numpy()
    panels[0].plot(rows[sweep.select], height, "ko", markersize=4)
    bounds = [rows["t2v_r1"] - rows["t2v_r1_lo"], rows["t2v_r1_hi"] - rows["t2v_r1"]]
    panels[1].errorbar(
        rows["t2v_r1"], height, xerr=bounds, fmt="ko", markersize=4, capsize=2, elinewidth=0.7
    )
    names = [
        ", ".join(f"{key}={_text(row[key])}" for key in sweep.grid) for _, row in rows.iterrows()
    ]
    panels[0].set_yticks(height, names, fontsize="small")
    panels[0].invert_yaxis()
    for axes, metric in zip(panels, (sweep.select, "t2v_r1"), strict=True):
        chosen = rows[rows["chosen"]]
        _ring(axes, chosen[metric], chosen.index.to_series())
        _levels(axes, beside, metric, upright=True)
        axes.set(xlabel=LABELS[metric])
        axes.grid(alpha=0.3)
    _legend(figure, panels[1])
    figure.suptitle(f"grid of {sweep.model} ({rows['similarity'].iloc[0]})", fontsize="medium")
    return figure


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
