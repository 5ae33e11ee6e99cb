"""Sheet of what a run retrieves: texts with pictures, pictures with texts, the right ones marked.

One axis of the size of the sheet, in inches and with its origin at the top, holds everything: a
grid of axes for a hundred small pictures would take ten times as long to draw.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from polymatch.reporting.retrieved import SHOWN, shares_of

THUMBNAIL = 128  # pixels
RIGHT = "✓"
_LEGEND = (
    "queries are drawn by outcome: half at rank 1, a quarter at 2 to 10, a quarter further down\n"
    f"frame and {RIGHT}: right answers; dashed, or in italics: the best one that is not among five"
)
_WIDTH, _MARGIN, _LEFT, _TOP = 8.4, 0.25, 2.35, 0.66
_CELL, _PICTURE = 0.86, 0.68
_LINE, _HEAD = 0.142, 0.62
_SMALL = 7.0

Picture = Callable[[str], "np.ndarray | None"]


def retrieved_figure(answers: pd.DataFrame, picture: Picture, title: str) -> Figure:
    """Draw both directions of a run.

    Args:
        answers: a table of :func:`polymatch.reporting.retrieved.answers_table`.
        picture: gives an item's thumbnail [h, w, 3] by its id, or None: then the id is shown.
    """
    by_text, by_item = (_queries(answers, direction) for direction in ("t2v", "v2t"))
    item_rows = -(-len(by_item) // 2)
    text_height = max(0.84, (SHOWN + 1) * _LINE + 0.1)
    height = _TOP + 2 * _HEAD + len(by_text) * _CELL + item_rows * (text_height + 0.1)
    figure = plt.figure(figsize=(_WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    _say(axes, _WIDTH / 2, 0.24, title, size=11, ha="center")
    _say(axes, _WIDTH / 2, 0.48, _LEGEND, size=7.5, ha="center")

    def item(item_id: str, x: float, y: float) -> None:
        _item(axes, picture(item_id), item_id, x, y)

    y = _TOP + _HEAD
    _head(axes, y, "Text to visual", _outcomes(answers, "t2v"))
    for shown in by_text:
        _text_query(axes, shown, item, y)
        y += _CELL
    y += _HEAD
    _head(axes, y, "Visual to text", _outcomes(answers, "v2t"))
    for place, shown in enumerate(by_item):
        column, row = divmod(place, item_rows)
        x = _MARGIN + column * (_WIDTH - _MARGIN) / 2
        top = y + row * (text_height + 0.1)
        item(shown["query"].iloc[0], x, top)
        _captions(axes, shown, x + _CELL, top)
    return figure


def _queries(answers: pd.DataFrame, direction: str) -> list[pd.DataFrame]:
    """The answers of each query of a direction."""
    own = answers[(answers["part"] == "answer") & (answers["direction"] == direction)]
    return [shown for _, shown in own.groupby("number")]


def _outcomes(answers: pd.DataFrame, direction: str) -> dict[str, int]:
    own = answers[(answers["part"] == "outcome") & (answers["direction"] == direction)]
    return {name: int(count) for name, count in zip(own["query"], own["queries"], strict=True)}


def _text_query(
    axes: Axes, shown: pd.DataFrame, item: Callable[[str, float, float], None], y: float
) -> None:
    text, rank = shown[["query", "rank"]].iloc[0]
    _say(axes, _MARGIN, y + _PICTURE / 2, _wrapped(text, 30, 4), size=8.5)
    for _, answer in shown.iterrows():
        missed = pd.isna(answer["place"])
        x = _LEFT + (SHOWN * _CELL + 0.12 if missed else (int(answer["place"]) - 1) * _CELL)
        item(answer["answer"], x, y)
        _frame(axes, x, y, right=bool(answer["right"]), dashed=missed)
        if missed:
            said = f"rank\n{_rank(rank)}"
            _say(axes, x + _PICTURE + 0.06, y + 0.24, said, size=8, va="top")
    if shown["place"].notna().all():
        x = _LEFT + SHOWN * _CELL + 0.12
        _say(axes, x, y + _PICTURE / 2, f"rank {_rank(rank)}", size=8)


def _captions(axes: Axes, shown: pd.DataFrame, x: float, y: float) -> None:
    for row, (_, answer) in enumerate(shown.iterrows()):
        at, right, missed = y + 0.06 + row * _LINE, bool(answer["right"]), pd.isna(answer["place"])
        number = _rank(answer["rank"]) if missed else f"{answer['place']}"
        look = {"weight": "bold" if right else "normal", "style": "italic" if missed else "normal"}
        if right:
            _say(axes, x, at, RIGHT, size=_SMALL, weight="bold")
        line = _wrapped(answer["answer"], 42 if right else 48, 1)
        _say(axes, x + 0.14, at, f"{number}. {line}", size=_SMALL, **look)


def _rank(rank: float) -> str:
    """The expected rank, which is no whole number among ties."""
    return f"{rank:.0f}" if rank == round(rank) else f"~{rank:.1f}"


def _head(axes: Axes, y: float, name: str, outcomes: dict[str, int]) -> None:
    axes.plot([_MARGIN, _WIDTH - _MARGIN], [y - 0.14] * 2, color="0.6", linewidth=0.6)
    _say(axes, _MARGIN, y - 0.28, name, size=10, weight="bold")
    _say(axes, _WIDTH - _MARGIN, y - 0.28, shares_of(outcomes), size=8, ha="right")


def _item(axes: Axes, picture: np.ndarray | None, item_id: str, x: float, y: float) -> None:
    if picture is None:
        shown = _wrapped(item_id, 10, 5)
        _say(axes, x + _PICTURE / 2, y + _PICTURE / 2, shown, size=6.5, ha="center")
        return
    tall, wide = np.array(picture.shape[:2]) / max(picture.shape[:2]) * (_PICTURE - 0.06)
    left, top = x + (_PICTURE - wide) / 2, y + (_PICTURE - tall) / 2
    axes.imshow(picture, extent=(left, left + wide, top + tall, top), aspect="auto")


def _frame(axes: Axes, x: float, y: float, right: bool, dashed: bool = False) -> None:
    frame = Rectangle((x, y), _PICTURE, _PICTURE, fill=False)
    frame.set(linewidth=2.2 if right else 0.5, edgecolor="k" if right else "0.75")
    frame.set(linestyle=(0, (2, 1.2)) if dashed else "-")
    axes.add_patch(frame)
    if right:
        badge = {"boxstyle": "circle,pad=0.12", "facecolor": "k", "edgecolor": "w"}
        _say(axes, x + _PICTURE, y, RIGHT, size=8, ha="center", color="w", bbox=badge)


def _wrapped(text: str, width: int, lines: int) -> str:
    """At most so many lines of at most so many letters; Chinese and Japanese ones count twice."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    width = max(8, round(width / (1 + wide / max(1, len(text)))))
    wrapped = textwrap.wrap(text, width)
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], f"{wrapped[lines - 1][: width - 2].rstrip()} …"]
    return "\n".join(wrapped)


def _say(axes: Axes, x: float, y: float, text: str, size: float, **look: Any) -> None:
    # A caption is text, whatever dollar signs it has.
    axes.text(x, y, text, fontsize=size, parse_math=False, **{"va": "center", **look})
