"""Figure of the rules: what is made from what, from left to right."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve

from polymatch.reporting.rule_graph import columns_of

_ROW = 0.34  # inches, as all of these
_GAP = 0.55
_LETTER = 0.072
_BOX = 0.22
_EDGE = 0.12


def rule_figure(edges: pd.DataFrame) -> Figure:
    """Boxes of rules in columns; lines go from what is needed to what needs it.

    A dashed line goes back, and a rule with a ring needs other jobs of its own.
    ``edges`` is a table of :func:`polymatch.reporting.rule_graph.rule_edges`.
    """
    columns, paths = columns_of(edges)
    back = edges[edges["kind"] == "back"]
    backward = set(zip(back["needs"], back["rule"], strict=True))
    ringed = set(edges.loc[edges["kind"] == "itself", "rule"])
    widths = [
        max((len(rule) for rule, to in column if not to), default=2) * _LETTER + 0.2
        for column in columns
    ]
    lefts = _EDGE + np.concatenate([[0.0], np.cumsum(np.array(widths) + _GAP)])
    tall = max(map(len, columns))
    size = (lefts[-1] - _GAP + _EDGE, tall * _ROW + 2 * _EDGE)
    figure = plt.figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
    axes.set_axis_off()
    middles = [
        # A column is centred; its places are as far apart as the fullest one's at the least.
        _EDGE + (np.arange(len(column)) + 0.5) * tall * _ROW / len(column)
        for column in columns
    ]
    for edge, path in paths.items():
        places = [(lefts[at], widths[at], middles[at][place]) for at, place in path]
        _line(axes, places, edge in backward)
    for column, left, width, heights in zip(columns, lefts, widths, middles, strict=False):
        for (rule, to), y in zip(column, heights, strict=True):
            if not to:
                box = FancyBboxPatch((left, y - _BOX / 2), width, _BOX, zorder=2)
                box.set_boxstyle("round", pad=0, rounding_size=0.06)
                box.set(facecolor="0.94", edgecolor="0.3", linewidth=0.9)
                axes.add_patch(box)
                axes.text(
                    left + width / 2,
                    y,
                    f"{rule} ↻" if rule in ringed else rule,
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    zorder=3,
                )
    return figure


def _line(axes: Axes, places: list[tuple[float, float, float]], back: bool) -> None:
    """A smooth line through places (left, width, height), from the right of one to the next."""
    left, width, y = places[0]
    points, codes = [(left + width, y)], [Curve.MOVETO]
    for number, (left, width, next_y) in enumerate(places[1:], start=1):
        x = points[-1][0]
        middle = (x + left) / 2
        points += [(middle, y), (middle, next_y), (left, next_y)]
        codes += [Curve.CURVE4] * 3
        if number < len(places) - 1:
            points.append((left + width, next_y))
            codes.append(Curve.LINETO)
        y = next_y
    line = PathPatch(Curve(points, codes), fill=False, edgecolor="0.45", linewidth=0.9, zorder=1)
    line.set_linestyle("--" if back else "-")
    axes.add_patch(line)
    x, y = (points[0][0] + 0.03, points[0][1]) if back else (points[-1][0] - 0.025, y)
    axes.plot(x, y, "<" if back else ">", color="0.25", markersize=4, zorder=2)
