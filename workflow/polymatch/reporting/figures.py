"""Figures: training curves, and R@1 against latency. Readable in grey: markers differ."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from polymatch.files import written_atomically

MARKERS = "os^Dv<>Pph*X"


def training_curve(history: pd.DataFrame, title: str, path: Path) -> None:
    """Loss and validation figures over epochs; a line marks the epoch whose weights were kept."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.plot(history["epoch"], history["loss"], "k-", marker="o", markersize=3)
    left.set(xlabel="epoch", ylabel="training loss")
    for metric, style in (("val_t2v_r1", "k-"), ("val_v2t_r1", "k--")):
        right.plot(history["epoch"], history[metric], style, label=metric)
    right.set(xlabel="epoch", ylabel="R@1 on val (%)")
    kept = history.loc[history["kept"], "epoch"].iloc[0]
    for axes in (left, right):
        axes.axvline(kept, color="0.6", linestyle=":", label=f"kept: epoch {kept}")
        axes.grid(alpha=0.3)
    right.legend(frameon=False)
    figure.suptitle(title)
    save_figure(figure, [path])


def r1_against_latency(board: pd.DataFrame, paths: list[Path]) -> None:
    """t2v R@1 with its interval over the latency of the query batch; the Pareto front is joined."""
    figure, axes = plt.subplots(figsize=(7.5, 5), layout="constrained")
    board = board.sort_values("latency_ms", ignore_index=True)
    for (_, row), marker in zip(board.iterrows(), itertools.cycle(MARKERS), strict=False):
        _point(axes, row, marker)
    front = board[board["t2v_r1"] > board["t2v_r1"].cummax().shift(fill_value=-1.0)]
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
    save_figure(figure, paths)


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


def save_figure(figure: Figure, paths: list[Path]) -> None:
    """Write a figure under each name, by suffix, and close it."""
    for path in paths:
        with written_atomically(path) as partial:
            # No creation date, so that the same data give the same bytes.
            pdf = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(partial, dpi=150, metadata=pdf)
    plt.close(figure)
