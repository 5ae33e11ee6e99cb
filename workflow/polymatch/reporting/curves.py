"""Figure of a model's training: every seed's history in one, with the epochs that were kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TypeAlias

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from polymatch.reporting.figures import MARKERS

Lines: TypeAlias = Mapping[str, tuple[LineStyleType, str]]

# A panel each: column -> (line style, which one it is), as far as a history has the columns.
PANELS: dict[str, Lines] = {
    "loss": {"loss": ("-", "training"), "val_loss": ("--", "validation")},
    "R@1 on val (%)": {
        "val_t2v_r1": ("-", "text to visual"),
        "val_v2t_r1": ("--", "visual to text"),
    },
    "R-sum on val": {"val_rsum": ("-", "")},
    "temperature": {"temperature": ("-", "")},
    "learning rate": {"lr": ("-", "")},
}
# Of the untrained model in row 0 these say nothing.
_FROM_THE_FIRST_EPOCH = ("lr", "temperature")
_SHADES = plt.get_cmap("viridis")


def curve_points(histories: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """What :func:`training_curves` draws, seed after seed, a quantity below the other.

    ``histories`` are tables as ``workflow/schemas/history.schema.json`` describes them, by seed;
    the result is as ``workflow/schemas/training_curves.schema.json`` does. What a history does not
    have (an older one, a loss without a temperature) is left out.
    """
    points = []
    for seed, history in histories.items():
        for quantity in (column for lines in PANELS.values() for column in lines):
            if quantity not in history:
                continue
            drawn = history[history["epoch"] > 0] if quantity in _FROM_THE_FIRST_EPOCH else history
            drawn = drawn[drawn[quantity].notna()]
            points.append(
                drawn[["epoch", "kept"]].assign(seed=seed, quantity=quantity, value=drawn[quantity])
            )
    found = pd.concat(points, ignore_index=True)
    return found[["seed", "epoch", "kept", "quantity", "value"]]


def training_curves(points: pd.DataFrame, title: str) -> Figure:
    """Losses, validation figures, temperature and learning rate over epochs, a shade for each seed.

    ``points`` is a table of :func:`curve_points`; a marker stands at the epoch whose weights were
    kept. A panel that no seed has a figure for is left out.
    """
    there = set(points["quantity"])
    panels = {
        name: {column: look for column, look in lines.items() if column in there}
        for name, lines in PANELS.items()
    }
    panels = {name: lines for name, lines in panels.items() if lines}
    columns = 2 if len(panels) <= 4 else 3
    figure, grid = plt.subplots(
        -(-len(panels) // columns),
        columns,
        figsize=(3.7 * columns, 5.4),
        layout="constrained",
        squeeze=False,
        sharex=True,
    )
    for axes, (name, lines) in zip(grid.flat, panels.items(), strict=False):
        _panel(axes, name, lines, points)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for column in grid.T:
        lowest = [axes for axes in column if axes.axison][-1]
        lowest.set_xlabel("epoch")
        lowest.xaxis.set_tick_params(labelbottom=True)
    # In the place of the panel that is missing, or below all of them.
    beside = len(panels) < grid.size
    (grid.flat[-1] if beside else figure).legend(
        *grid.flat[0].get_legend_handles_labels(),
        loc="center" if beside else "outside lower center",
        ncols=1 if beside else min(points["seed"].nunique(), 4),
        frameon=False,
        fontsize=8,
        title="marker: the epoch whose weights were kept",
        title_fontsize=8,
    )
    figure.suptitle(title)
    return figure


def _panel(axes: Axes, name: str, lines: Lines, points: pd.DataFrame) -> None:
    seeds = points["seed"].unique()
    for place, (seed, marker) in enumerate(zip(seeds, itertools.cycle(MARKERS), strict=False)):
        of_seed = points[points["seed"] == seed]
        shade = _SHADES(0.8 * place / max(1, len(seeds) - 1))
        label = f"seed {seed}, epoch {of_seed.loc[of_seed['kept'], 'epoch'].iloc[0]}"
        for column, (style, _) in lines.items():
            drawn = of_seed[of_seed["quantity"] == column]
            if drawn.empty:
                continue
            kept = drawn[drawn["kept"]]
            axes.plot(drawn["epoch"], drawn["value"], style, color=shade, linewidth=1.1)
            axes.plot(
                kept["epoch"],
                kept["value"],
                marker,
                color=shade,
                markeredgecolor="k",
                markersize=6,
                label=label,
            )
            label = "_"  # a seed has one entry in the legend
    named = [
        Line2D([], [], color="0.3", linestyle=style, label=which)
        for style, which in lines.values()
        if which
    ]
    if len(named) > 1:
        axes.legend(handles=named, frameon=False, fontsize=8)
    axes.set_ylabel(f"{named[0].get_label()} {name}" if len(named) == 1 else name)
    axes.ticklabel_format(axis="y", scilimits=(-2, 5))
    axes.grid(alpha=0.3)
