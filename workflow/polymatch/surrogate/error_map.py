"""Where in (ed, vd) a surrogate can be trusted: its error on a grid over its region and around it.

Two moments do not determine a match probability. The grid's is that of the plainest distance with
these moments: of Gaussians of one variance in all D dimensions, as far as there are some
(vd <= 2 ed^2 / D; their means are then D (ed - s) apart, with s^2 - 2 ed s + D vd / 2 = 0), and
beyond, where the means are one point, of one variance in so many of the dimensions as give this vd,
and none in the others. It is inverted exactly. A teacher's pairs of uneven variances have others;
how far they are off is what :func:`polymatch.surrogate.certificate` and the fit's own errors say.

Decision: the grid's axes are the logarithms of ed and of the relative spread sqrt(vd) / ed. In vd
itself a region is a thin diagonal over five powers of ten, and most of a grid would be empty.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from polymatch.errors import DataError
from polymatch.surrogate.inversion import log_match_probability
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.teacher import Teacher

_BOUNDS, _SQUARES = (-5.0, 2.0), (0.0, 4.0)
# Times the spread of even variances that uneven ones reach, with some room.
_UNEVEN = 2.0
_MARGIN = 0.08  # of each axis
_SHOWN = 500
_STEP = 0.05  # of log ed, along an edge
_DIGITS = 6


def error_map(
    surrogate: PolynomialSurrogate, teacher: Teacher, points: int = 49, shown: int = _SHOWN
) -> pd.DataFrame:
    """Hold a surrogate against the exact probability on a grid of ``points`` x ``points``.

    Args:
        surrogate: fitted to the teacher.
        teacher: whose scale, shift and width the probability has; up to ``shown`` of its pairs
            are kept, evenly spread over them.
        points: on each axis.

    Returns:
        A frame as ``workflow/schemas/error_map.schema.json`` describes it: rows of ``kind``
        ``grid``, the teacher's pairs (``teacher``) with their own labels, and points along the
        edge of the fitted region (``region``), in order.

    Raises:
        DataError: the teacher does not say of what probability it is.
    """
    scale, shift, width = (_setting(teacher, name) for name in ("scale", "shift", "width"))
    ed, spread = _axes(teacher, int(width), points)
    grid_ed, grid_spread = (side.ravel() for side in np.meshgrid(ed, spread))
    grid_vd = (grid_spread * grid_ed) ** 2
    exact = plain_logit(grid_ed, grid_vd, int(width), scale, shift)
    some = np.unique(np.linspace(0, len(teacher) - 1, min(shown, len(teacher))).astype(int))
    edge = _edge(surrogate)
    found = pd.concat(
        [
            _rows("grid", surrogate, grid_ed, grid_vd, exact),
            _rows("teacher", surrogate, teacher.ed[some], teacher.vd[some], teacher.logit[some]),
            pd.DataFrame({"kind": "region", "ed": edge[:, 0], "vd": edge[:, 1]}),
        ],
        ignore_index=True,
    )
    numbers = found.select_dtypes("number").columns
    # Six digits, which no figure can show, make a third of the file.
    found[numbers] = found[numbers].map(lambda value: float(f"{value:.{_DIGITS}g}"))
    return found.astype({"inside": "boolean"})


def plain_logit(
    ed: np.ndarray, vd: np.ndarray, width: int, scale: float, shift: float
) -> np.ndarray:
    """Exact logit of the plainest distance with moments ``ed`` and ``vd``, [P] each.

    >>> float(plain_logit(np.array([1.0]), np.array([1e-12]), 10, 0.1, 0.0).round(4)[0])
    -1.0
    """
    rest = ed**2 - 0.5 * width * vd
    variance = np.where(rest > 0, 0.5 * width * vd / (ed + np.sqrt(np.maximum(rest, 0))), 0.0)
    dimensions = np.full_like(ed, float(width))
    beyond = rest <= 0
    dimensions[beyond] = 2 * ed[beyond] ** 2 / vd[beyond]
    variance[beyond] = ed[beyond] * width / dimensions[beyond]
    square = np.where(beyond, 0.0, width * (ed - variance))
    s, q, d = (torch.from_numpy(side)[:, None] for side in (variance, square, dimensions))
    match, mismatch = log_match_probability(s, q, d, scale, shift)
    return (match - mismatch).numpy()


def _setting(teacher: Teacher, name: str) -> float:
    value = teacher.metadata.get(name)
    if value is None:
        raise DataError(f"teacher: its {name} is not known; build it again")
    return float(value)


def _axes(teacher: Teacher, width: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """ed and relative spread of the grid: what the teacher has, and what a head can reach.

    Heads of unit means reach, with one variance a side, s = 2 e^-5 to 2 e^2 and Q = 0 to 4.
    """
    bounds = np.array(teacher.metadata.get("bounds") or _BOUNDS)
    s, square = (side.ravel() for side in np.meshgrid(2 * np.exp(bounds), _SQUARES))
    ed = s + square / width
    spread = np.sqrt(2 * s**2 / width + 4 * square * s / width**2) / ed
    ed, spread = np.append(ed, teacher.ed), np.append(spread, np.sqrt(teacher.vd) / teacher.ed)
    axes = []
    for values in (ed, np.append(spread, _UNEVEN * np.sqrt(2 / width))):
        low, high = np.log(values.min()), np.log(values.max())
        margin = _MARGIN * (high - low)
        axes.append(np.exp(np.linspace(low - margin, high + margin, points)))
    return axes[0], axes[1]


def _edge(surrogate: PolynomialSurrogate) -> np.ndarray:
    """Points along the region's edge, [E, 2]: what is straight in (ed, vd) is a curve here."""
    region = surrogate.region
    corners = region.vertices * region.scale + region.centre
    parts = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        steps = 1 + int(abs(np.log(end[0] / start[0])) / _STEP)
        ed = np.geomspace(start[0], end[0], steps, endpoint=False)
        share = (ed - start[0]) / (end[0] - start[0]) if steps > 1 else np.zeros(1)
        parts.append(start + share[:, None] * (end - start))
    return np.concatenate([*parts, corners[:1]])


def _rows(
    kind: str, surrogate: PolynomialSurrogate, ed: np.ndarray, vd: np.ndarray, exact: np.ndarray
) -> pd.DataFrame:
    fitted = surrogate.logits(ed, vd)
    return pd.DataFrame(
        {
            "kind": kind,
            "ed": ed,
            "vd": vd,
            "inside": ~surrogate.region.outside(ed, vd),
            "logit": exact,
            "surrogate_logit": fitted,
            "logit_error": np.abs(fitted - exact),
            "probability_error": 0.5 * np.abs(np.tanh(0.5 * fitted) - np.tanh(0.5 * exact)),
        }
    )
