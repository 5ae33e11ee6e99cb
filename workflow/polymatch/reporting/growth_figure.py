"""Figure of the gallery's growth: latency against its number of items, for one query and many."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from polymatch.reporting.figures import MARKERS

_LINES = ("-", "--", ":", "-.")
_COLOURS = plt.get_cmap("viridis")


def growth_points(growths: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """What :func:`gallery_growth` draws, model after model.

    ``growths`` are tables as ``workflow/schemas/growth.schema.json`` describes them, by model and
    similarity; the result is as ``workflow/schemas/gallery_growth.schema.json`` does.
    """
    columns = ["gallery", "queries", "latency_ms", "latency_lo_ms", "latency_hi_ms"]
    named = [
        growth[columns].assign(model=model, similarity=kind)[["model", "similarity", *columns]]
        for (model, kind), growth in growths.items()
    ]
    return pd.concat(named, ignore_index=True)


def gallery_growth(points: pd.DataFrame) -> Figure:
    """Median latency with its interval, log-log; a panel for each number of queries.

    ``points`` is a table of :func:`growth_points`.
    """
    numbers = sorted({int(n) for n in points["queries"]})
    growths = {
        f"{model} ({kind})": growth
        for (model, kind), growth in points.groupby(["model", "similarity"], sort=False)
    }
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
    return figure


def _legend(figure: Figure) -> None:
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right center", frameon=False, fontsize=8)
