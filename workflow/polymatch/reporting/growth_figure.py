"""Figure of the gallery's growth: latency against its number of items, for one query and many."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from polymatch.reporting.figures import MARKERS, save_figure

_LINES = ("-", "--", ":", "-.")
_COLOURS = plt.get_cmap("viridis")


def gallery_growth(growths: Mapping[str, pd.DataFrame], paths: list[Path]) -> None:
    """Median latency with its interval, log-log; a panel for each number of queries.

    ``growths`` are tables as ``workflow/schemas/growth.schema.json`` describes them, by the name
    that the legend shows.
    """
    numbers = sorted({int(n) for growth in growths.values() for n in growth["queries"]})
    figure, panels = plt.subplots(
        1, len(numbers), figsize=(2.2 + 4 * len(numbers), 4.6), layout="constrained", squeeze=False
    )
    for axes, number in zip(panels[0], numbers, strict=True):
        looks = zip(itertools.cycle(MARKERS), itertools.cycle(_LINES), strict=False)
        for order, ((name, growth), (marker, line)) in enumerate(
            zip(growths.items(), looks, strict=False)
        ):
            own = growth[growth["queries"] == number]
            median = own["latency_ms"]
            axes.errorbar(
                own["gallery"],
                median,
                yerr=[median - own["latency_lo_ms"], own["latency_hi_ms"] - median],
                marker=marker,
                linestyle=line,
                color=_COLOURS(0.85 * order / max(1, len(growths) - 1)),
                linewidth=1,
                markersize=5,
                elinewidth=0.6,
                capsize=2,
                label=name,
            )
        queries = "a single query" if number == 1 else f"a batch of {number} queries"
        axes.set(xscale="log", yscale="log", title=queries)
        axes.set(xlabel="items in the gallery", ylabel="latency (ms): median, 95% interval")
        axes.grid(alpha=0.3)
    _legend(figure)
    save_figure(figure, paths)


def _legend(figure: Figure) -> None:
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right center", frameon=False, fontsize=8)
