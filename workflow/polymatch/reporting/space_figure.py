"""Figure of a run's space: PCA and t-SNE with matched pairs joined, and what says how they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from polymatch.reporting.space import Space

# Okabe and Ito's, told apart by most people; in grey the numbers in the markers tell.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195", "#444444")
_OTHER = "0.72"
_ITEM, _CAPTION = "o", "^"


_BINS = 40


def space_points(
    space: Space,
    item_ids: Sequence[str],
    groups: Sequence[str],
    similarities: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    """What :func:`space_figure` draws, as ``workflow/schemas/space.schema.json`` describes it.

    Args:
        space: of P pairs.
        item_ids: [P] of the pairs' items.
        groups: [P] of those.
        similarities: of matched and of unmatched pairs; their histograms are kept.
    """
    named = {"pair": range(len(item_ids)), "item_id": item_ids, "group": groups}
    parts: list[dict] = [
        {"panel": panel, "series": side, **named, "x": points[:, 0], "y": points[:, 1]}
        for panel, plane in (("pca", space.pca), ("tsne", space.tsne))
        for side, points in (("item", plane.items), ("caption", plane.captions))
    ]
    number = np.arange(1, len(space.explained) + 1)
    cumulative = 100 * np.cumsum(space.explained)
    parts.append({"panel": "explained", "series": "cumulative", "x": number, "y": cumulative})
    both = np.concatenate(similarities)
    bins = np.linspace(both.min(), both.max() + 1e-9, _BINS + 1)
    for name, values in zip(("matched", "unmatched"), similarities, strict=True):
        shares = 100 * np.histogram(values, bins)[0] / max(1, len(values))
        edges = {"x": bins[:-1], "x_to": bins[1:]}
        parts.append({"panel": "similarity", "series": name, **edges, "y": shares})
    numbers = {"perplexity": space.perplexity, "modality_gap": space.gap}
    parts += [{"panel": "title", "series": name, "y": [value]} for name, value in numbers.items()]
    columns = ["panel", "series", "pair", "item_id", "group", "x", "x_to", "y"]
    found = pd.concat(map(pd.DataFrame, parts), ignore_index=True)
    return found[columns].astype({"pair": "Int64"})


def space_figure(points: pd.DataFrame, kind: str, colours: int, title: str) -> Figure:
    """Draw a space.

    Args:
        points: a table of :func:`space_points`.
        kind: which similarity its histograms are of.
        colours: the largest so many of the groups with two items or more have a colour and a
            number, all others are grey.
        title: stands above, before the modality gap.
    """
    panels = dict(iter(points.groupby("panel", sort=False)))
    number = panels["title"].set_index("series")["y"]
    groups = panels["pca"].loc[panels["pca"]["series"] == "item", "group"].tolist()
    cumulative = panels["explained"]["y"].to_numpy()
    figure = plt.figure(figsize=(11, 8.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(2.6, 1))
    shown = largest_groups(groups, colours)
    top, bottom = ([figure.add_subplot(grid[row, column]) for column in (0, 1)] for row in (0, 1))
    for axes, panel in zip(top, ("pca", "tsne"), strict=True):
        _pairs(figure, axes, panels[panel], groups, shown)
    top[0].set(
        title="PCA",
        xlabel=f"first component ({cumulative[0]:.1f}% of the variance)",
        ylabel=f"second component ({cumulative[1] - cumulative[0]:.1f}%)",
    )
    top[0].grid(alpha=0.3)
    top[1].set(title=f"t-SNE (perplexity {number['perplexity']:.3g})", xticks=[], yticks=[])
    top[1].set(xlabel="near points are alike; far ones say little")
    _explained(bottom[0], cumulative)
    _similarities(bottom[1], panels["similarity"], kind)
    figure.legend(
        handles=_legend(groups, shown),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(f"{title}; modality gap {number['modality_gap']:.2f}")
    return figure


def largest_groups(groups: Sequence[str], number: int) -> list[str]:
    """The ``number`` largest groups of two items or more; among equals the first by name."""
    sizes = Counter(groups)
    order = sorted(sizes, key=lambda group: (-sizes[group], group))
    return [group for group in order if sizes[group] > 1][:number]


def _pairs(
    figure: Figure, axes: Axes, plane: pd.DataFrame, groups: Sequence[str], shown: Sequence[str]
) -> None:
    place = {group: number for number, group in enumerate(shown)}
    colours = [_COLOURS[place[g]] if g in place else _OTHER for g in groups]
    items, captions = (
        plane.loc[plane["series"] == side, ["x", "y"]].to_numpy() for side in ("item", "caption")
    )
    joined = np.stack([items, captions], axis=1)
    axes.add_collection(LineCollection(list(joined), colors=colours, linewidths=0.5, alpha=0.55))
    of_group = np.array([place.get(group, -1) for group in groups])
    for marker, points, lift in ((_CAPTION, captions, -1.1), (_ITEM, items, 0.0)):
        x, y = points[of_group < 0].T
        axes.scatter(x, y, s=11, marker=marker, facecolor="w", edgecolor="0.6", linewidth=0.6)
        # A triangle is widest below the middle of its box.
        at = offset_copy(axes.transData, figure, y=lift, units="points")
        for number in range(len(shown)):
            x, y = points[of_group == number].T
            colour, digit = _COLOURS[number], f"${number + 1}$"
            axes.scatter(
                x, y, s=58, color=colour, marker=marker, linewidth=0.4, edgecolor="w", zorder=3
            )
            axes.scatter(x, y, s=11, color="w", marker=digit, linewidth=0.2, zorder=4, transform=at)
    axes.margins(0.04)


def _explained(axes: Axes, cumulative: np.ndarray) -> None:
    number = np.arange(1, len(cumulative) + 1)
    axes.plot(number, cumulative, "k-", marker="o", markersize=2.5, linewidth=1)
    axes.axhline(90, color="0.5", linestyle="--", linewidth=0.8)
    axes.set(xlabel="number of principal components", ylim=(0, 102))
    axes.set_ylabel("variance explained (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)


def _similarities(axes: Axes, histograms: pd.DataFrame, kind: str) -> None:
    looks: dict[str, dict] = {
        "unmatched": {"fill": True, "color": "0.75"},
        "matched": {"color": "k", "linewidth": 1.3},
    }
    for name, look in looks.items():
        own = histograms[histograms["series"] == name]
        bins = [*own["x"], own["x_to"].iloc[-1]]
        axes.stairs(own["y"], bins, label=f"{name} pairs", **look)
    axes.set(xlabel=f"similarity ({kind})", ylabel="share of pairs (%)")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)


def _legend(groups: Sequence[str], shown: Sequence[str]) -> list[Line2D]:
    sizes = Counter(groups)
    handles = [
        Line2D([], [], linestyle="", marker=marker, mfc="w", mec="0.4", label=label)
        for marker, label in ((_ITEM, f"item ({len(groups)})"), (_CAPTION, "one of its captions"))
    ]
    handles.append(Line2D([], [], color="0.5", linewidth=0.8, label="a matched pair"))
    for number, group in enumerate(shown):
        label = f"{number + 1}  {group} ({sizes[group]})"
        look = _COLOURS[number]
        handles.append(
            Line2D([], [], linestyle="", marker=_ITEM, markersize=7, color=look, label=label)
        )
    return handles
