"""A contact sheet of what one search found: pictures in rows, or captions in a list.

Under each picture stand its rank, score and, of probabilistic models, uncertainty, and its id; the
frame and sign of right answers are those of :mod:`.retrieved_figure`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from polymatch.data.pictures import read_thumbnail
from polymatch.errors import DataError
from polymatch.reporting.retrieved_figure import RIGHT
from polymatch.search.hits import Hit

SIZE = 256
"""Pixels of a thumbnail."""
_COLUMNS = 5
_CELL, _PICTURE, _HEIGHT = 1.62, 1.44, 2.06
_MARGIN, _TOP, _LINE = 0.2, 0.86, 0.3


def search_sheet(hits: Sequence[Hit], title: str, about: str, asked: Path | None = None) -> Figure:
    """Draw hits: items as pictures, captions as a list beside the picture that was asked with.

    Args:
        title: the query. about: the run, gallery and similarity.
        asked: the picture or clip that was asked with, if there was one.
    """
    listed = asked is not None or all(hit.path is None and hit.text for hit in hits)
    if listed:
        height = _TOP + max(_LINE * len(hits), _PICTURE) + _MARGIN
    else:
        height = _TOP + _HEIGHT * -(-len(hits) // _COLUMNS)
    width = 2 * _MARGIN + _CELL * _COLUMNS
    figure = plt.figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    _say(axes, width / 2, 0.3, textwrap.shorten(title, 90, placeholder=" …"), 13, ha="center")
    below = "\n".join(textwrap.wrap(about, 110)[:2])
    _say(axes, width / 2, 0.52, below, 8, ha="center", va="top", color="0.35")
    if listed:
        _list(axes, hits, asked)
    else:
        for place, hit in enumerate(hits):
            row, column = divmod(place, _COLUMNS)
            _picture(axes, hit, _MARGIN + column * _CELL, _TOP + row * _HEIGHT)
    return figure


def _list(axes: Axes, hits: Sequence[Hit], asked: Path | None) -> None:
    left = _MARGIN
    if asked is not None:
        _draw(axes, asked, asked.name, left, _TOP)
        left += _CELL
    for place, hit in enumerate(hits):
        y = _TOP + 0.12 + place * _LINE
        weight = "bold" if hit.right else "normal"
        if hit.right:
            _say(axes, left, y, RIGHT, 9, weight="bold")
        _say(axes, left + 0.42, y, f"{hit.rank}", 9, ha="right", weight=weight)
        text = textwrap.shorten(hit.text or hit.id, 62, placeholder=" …")
        _say(axes, left + 0.54, y, text, 9, weight=weight)
        _say(axes, axes.get_xlim()[1] - _MARGIN, y, _figures(hit), 8, ha="right", color="0.35")


def _picture(axes: Axes, hit: Hit, x: float, y: float) -> None:
    _draw(axes, hit.path, hit.id, x, y)
    frame = Rectangle((x, y), _PICTURE, _PICTURE, fill=False)
    frame.set(linewidth=3 if hit.right else 0.5, edgecolor="k" if hit.right else "0.75")
    axes.add_patch(frame)
    if hit.right:
        badge = {"boxstyle": "circle,pad=0.15", "facecolor": "k", "edgecolor": "w"}
        _say(axes, x + _PICTURE, y, RIGHT, 10, ha="center", color="w", bbox=badge)
    below = y + _PICTURE + 0.14
    _say(axes, x, below, f"{hit.rank}", 9, weight="bold")
    _say(axes, x + _PICTURE, below, _figures(hit), 8, ha="right")
    _say(axes, x, below + 0.18, textwrap.shorten(hit.id, 26, placeholder="…"), 7, color="0.35")


def _draw(axes: Axes, path: Path | None, name: str, x: float, y: float) -> None:
    picture = None
    if path is not None:
        try:
            picture = read_thumbnail(path, SIZE)
        except DataError:  # the sheet says so, and shows the others
            name = f"{name}\n(cannot be read)"
    if picture is None:
        centre = x + _PICTURE / 2, y + _PICTURE / 2
        _say(axes, *centre, "\n".join(textwrap.wrap(name, 18)[:5]), 8, ha="center")
        return
    tall, wide = np.array(picture.shape[:2]) / max(picture.shape[:2]) * (_PICTURE - 0.08)
    left, top = x + (_PICTURE - wide) / 2, y + (_PICTURE - tall) / 2
    axes.imshow(picture, extent=(left, left + wide, top + tall, top), aspect="auto")


def _figures(hit: Hit) -> str:
    """The score, and the uncertainty where there is one."""
    score = f"{hit.score:.6g}"
    return score if hit.uncertainty is None else f"{score} ± {hit.uncertainty:.3g}"


def _say(axes: Axes, x: float, y: float, text: str, size: float, **look: Any) -> None:
    # What a person asks is text, whatever dollar signs it has.
    axes.text(x, y, text, fontsize=size, parse_math=False, **{"va": "center", **look})
