"""Figures: R@1 against latency, analog simulation, and how every figure is written.

A figure is two functions: one makes a table of exactly what is drawn, the other draws that table
and sees nothing else, so that the CSV beside a figure has all that is in it. Readable in grey.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from polymatch.data.tables import write_table
from polymatch.files import written_atomically

MARKERS = "os^Dv<>Pph*X"
# Text stays text in SVG, and its ids follow from its content.
_SVG: Mapping[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "polymatch"}


def latency_points(board: pd.DataFrame) -> pd.DataFrame:
    """What :func:`r1_against_latency` draws of a leaderboard, the fastest first.

    As ``workflow/schemas/r1_latency.schema.json`` describes it; a row is on the Pareto front
    (``pareto``) if no faster one is as good.
    """
    columns = ["model", "similarity", "latency_ms", "t2v_r1", "t2v_r1_lo", "t2v_r1_hi"]
    points = board[columns].sort_values("latency_ms", kind="stable", ignore_index=True)
    best_before = points["t2v_r1"].cummax().shift(fill_value=-1.0)
    return points.assign(pareto=points["t2v_r1"] > best_before)


def r1_against_latency(points: pd.DataFrame) -> Figure:
    """t2v R@1 with its interval over the latency of the query batch; the Pareto front is joined.

    ``points`` is a table of :func:`latency_points`.
    """
    figure, axes = plt.subplots(figsize=(7.5, 5), layout="constrained")
    for (_, row), marker in zip(points.iterrows(), itertools.cycle(MARKERS), strict=False):
        _point(axes, row, marker)
    front = points[points["pareto"]]
    axes.step(
        front["latency_ms"],
        front["t2v_r1"],
        where="post",
        color="0.5",
        linestyle="--",
        linewidth=1,
        zorder=0,
        label="Pareto front",
    )
    axes.set(
        xscale="log",
        xlabel="latency of one batch of all test captions (ms)",
        ylabel="t2v R@1 (%), mean over seeds, 95% interval over items",
    )
    # A narrow range holds no power of ten: label 1, 2 and 5 of each decade, as plain numbers.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return figure


def simulated_points(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What :func:`analog_simulation` draws of the models' tables, one below the other.

    ``tables`` are as ``workflow/schemas/analog.schema.json`` describes them, the result is as
    ``workflow/schemas/deployability.schema.json`` does.
    """
    r1 = [f"simulated_t2v_r1{bound}" for bound in ("", "_lo", "_hi")]
    columns = ["model", "similarity", "condition", "value", *r1]
    return pd.concat([table[columns] for table in tables], ignore_index=True)


def analog_simulation(points: pd.DataFrame) -> Figure:
    """Simulated t2v R@1 over ADC bits, weight noise and time since programming, a line a model.

    ``points`` is a table of :func:`simulated_points`. Intervals are over programming seeds; a tick
    at the left shows each model's digital R@1.
    """
    tables = [table for _, table in points.groupby(["model", "similarity"], sort=False)]
    figure, panels = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
    sweeps = {
        "adc_bits": "ADC bits",
        "weight_noise": "weight noise / largest weight",
        "drift_seconds": "time since programming",
    }
    shades = [str(0.7 * i / max(1, len(tables) - 1)) for i in range(len(tables))]
    for axes, (condition, title) in zip(panels, sweeps.items(), strict=True):
        for table, marker, shade in zip(tables, itertools.cycle(MARKERS), shades, strict=False):
            _sweep(axes, table, condition, marker, shade)
        axes.set(xlabel=title)
        axes.grid(alpha=0.3)
    _time_axis(panels[2], [t["value"][t["condition"] == "drift_seconds"] for t in tables])
    panels[0].set_ylabel("simulated t2v R@1 (%)\n95% interval over programming seeds")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    figure.suptitle("Analog simulation (short dashes at the left: digital)")
    return figure


def _sweep(axes: Axes, table: pd.DataFrame, condition: str, marker: str, shade: str) -> None:
    rows = table[table["condition"] == condition].sort_values("value")
    r1, name = rows["simulated_t2v_r1"], table[["model", "similarity"]].iloc[0]
    axes.errorbar(
        rows["value"],
        r1,
        yerr=[r1 - rows["simulated_t2v_r1_lo"], rows["simulated_t2v_r1_hi"] - r1],
        marker=marker,
        markersize=4,
        color=shade,
        capsize=2,
        linewidth=1,
        elinewidth=0.7,
        label=f"{name['model']} ({name['similarity']})",
    )
    digital = table.loc[table["condition"] == "digital", "simulated_t2v_r1"].iloc[0]
    axes.plot([0, 0.04], [digital] * 2, color=shade, transform=axes.get_yaxis_transform())


def _time_axis(axes: Axes, seconds: list[pd.Series]) -> None:
    named = {60: "1 min", 3600: "1 h", 86400: "1 day", 2592000: "30 days", 31536000: "1 year"}
    # symlog: 0 seconds is a moment like any other.
    axes.set_xscale("symlog", linthresh=10)
    last = max((series.max() for series in seconds if len(series)), default=60)
    shown = {value: name for value, name in named.items() if value <= last} or {60: "1 min"}
    axes.set_xticks(list(shown), list(shown.values()), rotation=30)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _point(axes: Axes, row: pd.Series, marker: str) -> None:
    below, above = row["t2v_r1"] - row["t2v_r1_lo"], row["t2v_r1_hi"] - row["t2v_r1"]
    axes.errorbar(
        row["latency_ms"],
        row["t2v_r1"],
        yerr=[[below], [above]],
        marker=marker,
        linestyle="",
        capsize=2,
        elinewidth=0.7,
        label=f"{row['model']} ({row['similarity']})",
    )


def save_figure(
    figure: Figure,
    paths: Sequence[Path],
    data: pd.DataFrame | None = None,
    schema: str = "",
) -> None:
    """Write a figure under each name, in the format of its suffix, and close it.

    The same figure and data give the same bytes.

    Args:
        figure: what was drawn.
        paths: ``.pdf``, ``.svg`` and ``.png``; under ``.csv`` goes what it was drawn from.
        data: the table that was drawn; only asked for a ``.csv``.
        schema: name of its schema, ``workflow/schemas/<schema>.schema.json``.

    Raises:
        DataError: the data break their schema.
    """
    # Placed once for all formats: that takes longer than to draw.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    # No date, so that the same data give the same bytes.
    undated: dict[str, dict] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    for path in paths:
        if path.suffix == ".csv":
            assert data is not None and schema  # a script that asks for both or none
            write_table(data, path, schema)
            continue
        with written_atomically(path) as partial, plt.rc_context(dict(_SVG)):
            figure.savefig(partial, dpi=150, metadata=undated.get(path.suffix, {}))
    plt.close(figure)
