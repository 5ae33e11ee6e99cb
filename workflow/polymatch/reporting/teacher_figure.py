"""Figure of the teachers: which moments each covers, and where trained heads are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polymatch.reporting.figures import MARKERS

# By source: grey of the points, and line and width of the region. Wide lines lie behind.
STYLES = {
    "domain": ("0.85", "-", 1.2),
    "fixed": ("0.6", "-", 9.0),
    "pcme": ("0.4", "--", 1.6),
}
_HEADS = plt.get_cmap("viridis")
# Shares of an edge, dense at both ends: a straight edge is a curve on logarithmic axes.
_SHARES = np.geomspace(1e-5, 0.5, 40)
_ALONG = np.concatenate([[0.0], _SHARES, 1 - _SHARES[::-1]])[:, None]


def teachers_and_heads(points: pd.DataFrame) -> Figure:
    """Pairs of teachers in grey, their fitted regions as outlines, trained heads as markers.

    The right panel is the left one with its diagonal taken out: the coefficient of variation of
    the squared distance, sqrt(vd) / ed, in place of vd. ``points`` is a table as
    ``workflow/schemas/teacher_points.schema.json`` describes it.
    """
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 6.2), layout="constrained")
    for axes, relative in zip(panels, (False, True), strict=True):
        _teachers(axes, points, relative)
        _heads(axes, points[points["kind"] == "head"], relative)
        axes.set(xscale="log", yscale="log", xlabel="ed: expected squared distance / D")
        axes.set_ylabel("√vd / ed" if relative else "vd: variance of the squared distance / D²")
        axes.grid(alpha=0.3)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _teachers(axes: Axes, points: pd.DataFrame, relative: bool) -> None:
    for source, (grey, line, width) in STYLES.items():
        own = points[points["name"] == source]
        pairs = own.loc[own["kind"] == "teacher", ["ed", "vd"]].to_numpy()
        corners = own.loc[own["kind"] == "region", ["ed", "vd"]].to_numpy()
        if len(corners):
            x, y = _place(pairs, relative)
            axes.scatter(x, y, s=4, color=grey, linewidth=0, rasterized=True)
            axes.plot(
                *_place(_outline(corners), relative),
                line,
                color="0.7" if width > 3 else "k",
                linewidth=width,
                label=f"region of teacher {source}; grey: its pairs",
            )


def _heads(axes: Axes, heads: pd.DataFrame, relative: bool) -> None:
    models = list(dict.fromkeys(heads["name"]))
    for number, model in enumerate(models):
        own = heads.loc[heads["name"] == model, ["ed", "vd"]].to_numpy()
        x, y = _place(own, relative)
        axes.scatter(
            x,
            y,
            s=18,
            zorder=3,
            marker=MARKERS[number % len(MARKERS)],
            color=_HEADS(0.95 * number / max(1, len(models) - 1)),
            edgecolor="k",
            linewidth=0.2,
            label=f"test pairs of {model}",
            rasterized=True,
        )


def _place(pairs: np.ndarray, relative: bool) -> np.ndarray:
    ed, vd = pairs.T
    return np.stack([ed, np.sqrt(vd) / ed if relative else vd])


def _outline(corners: np.ndarray) -> np.ndarray:
    """Points along a polygon's edges, [P, 2]."""
    edges = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate([start + _ALONG * (end - start) for start, end in edges])
