"""Figure of a surrogate's error over the moments of the distance, with the end of its region."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter

# Column -> title, and the decades that are shown; less is white, more is black.
_PANELS = {
    "logit_error": ("error of the logit", -3, 3),
    "probability_error": ("error of the probability", -6, 0),
}


def error_map_figure(errors: pd.DataFrame, title: str) -> Figure:
    """Absolute errors by ed and relative spread: shades and labelled contours a decade apart.

    Inside the outline is the region that the polynomial was fitted on; dots are pairs that it was
    fitted to. ``errors`` is a table of :func:`polymatch.surrogate.error_map.error_map`.
    """
    figure, panels = plt.subplots(1, 2, figsize=(11, 5.0), layout="constrained", sharey=True)
    for axes, (column, (name, low, high)) in zip(panels, _PANELS.items(), strict=True):
        filled = _errors(axes, errors[errors["kind"] == "grid"], column, low, high)
        bar = figure.colorbar(filled, ax=axes, extend="both", shrink=0.9, pad=0.02)
        bar.ax.yaxis.set_major_formatter(LogFormatterMathtext())
        _marks(axes, errors)
        axes.set(xscale="log", yscale="log", title=f"absolute {name}")
        axes.set_xlabel("ed: expected squared distance / D")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("√vd / ed: spread of the squared distance over its mean")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.suptitle(title)
    return figure


def _errors(axes: Axes, grid: pd.DataFrame, column: str, low: int, high: int) -> Any:
    side = round(len(grid) ** 0.5)
    x, y, value = (
        np.asarray(values, float).reshape(side, side)
        for values in (grid["ed"], np.sqrt(grid["vd"]) / grid["ed"], grid[column])
    )
    levels = 10.0 ** np.arange(low, high + 1)
    value = np.clip(value, 10.0 ** (low - 1), 10.0 ** (high + 1))
    # The region may go on where no pair of this width can be.
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
    norm = LogNorm(10.0**low, 10.0**high)
    filled = axes.contourf(
        x,
        y,
        value,
        levels=10.0 ** np.arange(low, high + 0.25, 0.5),
        cmap="Greys",
        norm=norm,
        extend="both",
    )
    lines = axes.contour(
        x, y, value, levels=levels, colors="C0", linewidths=0.9, locator=LogLocator()
    )
    labels = axes.clabel(lines, fmt=_power, fontsize=8, colors="k")
    for label in labels or []:
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})
    return filled


def _power(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"


def _marks(axes: Axes, errors: pd.DataFrame) -> None:
    pairs, edge = (errors[errors["kind"] == kind] for kind in ("teacher", "region"))
    axes.scatter(
        pairs["ed"],
        np.sqrt(pairs["vd"]) / pairs["ed"],
        s=4,
        color="w",
        edgecolor="k",
        linewidth=0.3,
        zorder=3,
        rasterized=True,
        label="pairs of the teacher",
    )
    axes.plot(
        edge["ed"],
        np.sqrt(edge["vd"]) / edge["ed"],
        color="C1",
        linewidth=1.8,
        linestyle=(0, (5, 1.2)),
        zorder=4,
        label="where the fitted region ends",
    )
