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


def training_curves(histories: Mapping[int, pd.DataFrame], title: str) -> Figure:
    """Losses, validation figures, temperature and learning rate over epochs, a shade for each seed.

    ``histories`` are tables as ``workflow/schemas/history.schema.json`` describes them, by seed; a
    marker stands at the epoch whose weights were kept. A panel that no history has a figure for
    (an older one, a loss without a temperature) is left out.
    """
    panels = {name: _there(lines, histories) for name, lines in PANELS.items()}
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
        _panel(axes, name, lines, histories)
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
        ncols=1 if beside else min(len(histories), 4),
        frameon=False,
        fontsize=8,
        title="marker: the epoch whose weights were kept",
        title_fontsize=8,
    )
    figure.suptitle(title)
    return figure


def _there(lines: Lines, histories: Mapping[int, pd.DataFrame]) -> Lines:
    return {
        column: look
        for column, look in lines.items()
        if any(column in each and each[column].notna().any() for each in histories.values())
    }


def _panel(axes: Axes, name: str, lines: Lines, histories: Mapping[int, pd.DataFrame]) -> None:
    looks = zip(histories.items(), itertools.cycle(MARKERS), strict=False)
    for place, ((seed, history), marker) in enumerate(looks):
        shade = _SHADES(0.8 * place / max(1, len(histories) - 1))
        label = f"seed {seed}, epoch {history.loc[history['kept'], 'epoch'].iloc[0]}"
        for column, (style, _) in lines.items():
            if column not in history:
                continue
            drawn = history[history["epoch"] > 0] if column in _FROM_THE_FIRST_EPOCH else history
            kept = drawn[drawn["kept"]]
            axes.plot(drawn["epoch"], drawn[column], style, color=shade, linewidth=1.1)
            axes.plot(
                kept["epoch"],
                kept[column],
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
