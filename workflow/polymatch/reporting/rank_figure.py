"""Figures of ranks: R@K over K and the histogram of ranks, of one run and of all models at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

# By direction: name, line and shade, and how its bars are filled.
_NAMES = {"t2v": "text to visual", "v2t": "visual to text"}
_LINES: Mapping[str, dict[str, Any]] = {
    "t2v": {"linestyle": "-", "color": "0.0"},
    "v2t": {"linestyle": "--", "color": "0.4"},
}
_BARS: Mapping[str, dict[str, Any]] = {
    "t2v": {"color": "0.35"},
    "v2t": {"color": "0.9", "hatch": "///"},
}
_ACROSS = 4


def rank_figure(curve: pd.DataFrame, histogram: pd.DataFrame, title: str) -> Figure:
    """R@K of both directions with 95% intervals at the left, the histogram of ranks at the right.

    ``curve`` and ``histogram`` are tables as ``workflow/schemas/recall_curve.schema.json`` and
    ``workflow/schemas/rank_histogram.schema.json`` describe them.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    _curves(left, curve)
    left.set(xlabel="K", ylabel="R@K on test (%), 95% interval over items")
    left.legend(frameon=False, fontsize=8, loc="upper left")
    _bars(right, histogram, _bins(histogram))
    right.set(xlabel="rank of the best right answer", ylabel="share of the queries (%)")
    right.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    return figure


def recall_curves(curves: pd.DataFrame) -> Figure:
    """R@K of every model and similarity, a panel each, all with the same axes.

    ``curves`` is a table as ``workflow/schemas/recall_curves.schema.json`` describes it.
    """
    figure, panels = _panels(curves)
    for axes, (name, own) in panels:
        _curves(axes, own)
        axes.set_title(name, fontsize=8)
    first = figure.axes[0]
    first.set_ylim(0, 100)
    figure.supxlabel("K", fontsize="medium")
    figure.supylabel("R@K on test (%), mean over seeds, 95% interval over items", fontsize="medium")
    return _with_legend(figure)


def rank_histograms(histograms: pd.DataFrame) -> Figure:
    """The histogram of ranks of every model and similarity, a panel each, all with the same axes.

    ``histograms`` is a table as ``workflow/schemas/rank_histograms.schema.json`` describes it.
    """
    figure, panels = _panels(histograms)
    bins = _bins(histograms)
    for axes, (name, own) in panels:
        _bars(axes, own, bins)
        axes.tick_params(axis="x", labelsize=6)
        axes.set_title(name, fontsize=8)
    figure.supxlabel("rank of the best right answer", fontsize="medium")
    figure.supylabel("share of the queries (%), mean over seeds", fontsize="medium")
    return _with_legend(figure)


def _panels(table: pd.DataFrame) -> tuple[Figure, Any]:
    groups = list(table.groupby(["model", "similarity"], sort=False))
    across = min(_ACROSS, len(groups))
    down = -(-len(groups) // across)
    figure, grid = plt.subplots(
        down,
        across,
        figsize=(2.5 * across + 0.8, 1.75 * down + 0.9),
        layout="constrained",
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axes in grid.flat[len(groups) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(0, len(groups) - across) : len(groups)]:
        axes.xaxis.set_tick_params(labelbottom=True)
    named = [(f"{model} ({kind})", own) for (model, kind), own in groups]
    return figure, zip(grid.flat, named, strict=False)


def _with_legend(figure: Figure) -> Figure:
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return figure


def _curves(axes: Axes, curve: pd.DataFrame) -> None:
    for direction, look in _LINES.items():
        own = curve[curve["direction"] == direction]
        shade = look["color"]
        axes.fill_between(
            own["k"], own["recall_lo"], own["recall_hi"], color=shade, alpha=0.18, linewidth=0
        )
        axes.plot(own["k"], own["recall"], linewidth=1.5, label=_NAMES[direction], **look)
    # Both directions have the same or nearly the same chance: one line says enough.
    chance = curve[curve["direction"] == "t2v"]
    axes.plot(chance["k"], chance["chance"], color="0.55", linestyle=":", label="chance, t2v")
    axes.set(xscale="log", ylim=(0, None))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())  # a third of the time that all panels take
    axes.grid(alpha=0.3)


def _bins(histogram: pd.DataFrame) -> pd.Series:
    """Last rank of each bin by its first.

    The last bin of a smaller gallery is shorter than the larger one's that begins with it.
    """
    return histogram.groupby("rank_from")["rank_to"].max()


def _bars(axes: Axes, histogram: pd.DataFrame, bins: pd.Series) -> None:
    names = [_interval(first, last) for first, last in zip(bins.index, bins, strict=True)]
    place = {first: at for at, first in enumerate(bins.index)}
    for shift, (direction, look) in zip((-0.2, 0.2), _BARS.items(), strict=True):
        own = histogram[histogram["direction"] == direction]
        at = own["rank_from"].map(place).to_numpy(float) + shift
        axes.bar(
            at, own["share"], 0.4, edgecolor="k", linewidth=0.5, label=_NAMES[direction], **look
        )
    axes.set_xticks(np.arange(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3, axis="y")


def _interval(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last}"
