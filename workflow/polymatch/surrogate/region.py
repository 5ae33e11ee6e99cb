"""The region of (ed, vd) that a surrogate was fitted on: the convex hull of its teacher's points.

A polynomial says nothing outside of the points that it saw. The published teacher (one
log-variance) puts all its points on a line, since vd is then linear in ed; the hull of such points
is that segment. A point counts as outside if it leaves the region by more than a ten-thousandth of
the points' standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from polymatch.errors import NumericsError

# In units of the points' standard deviation: more than rounding of float32 inputs moves a point by,
# less than a polynomial notices.
_TOLERANCE = 1e-4
_MOST_VERTICES = 256


@dataclass(frozen=True, eq=False)
class FittedRegion:
    """A convex polygon in standardised (ed, vd), or a segment where the points lie on a line.

    ``centre`` and ``scale`` are [2], ``vertices`` [V, 2], counter-clockwise, standardised; there
    are none where it is not known what a surrogate was fitted on.
    """

    centre: np.ndarray
    scale: np.ndarray
    vertices: np.ndarray

    @classmethod
    def of_points(cls, ed: np.ndarray, vd: np.ndarray) -> FittedRegion:
        """Return the hull of P points, thinned to at most 256 vertices.

        Raises:
            NumericsError: a point is not finite, or all points are one.

        >>> square = FittedRegion.of_points(np.array([0.0, 1, 1, 0]), np.array([0.0, 0, 1, 1]))
        >>> square.outside(np.array([0.5, 1.5]), np.array([0.5, 0.5]))
        array([False,  True])
        """
        points = np.stack([np.ravel(ed), np.ravel(vd)], axis=1).astype(np.float64)
        if len(points) == 0 or not np.isfinite(points).all():
            raise NumericsError("region: ed and vd must be finite and at least one point")
        centre = points.mean(0)
        spread = points.std(0)
        if not spread.any():
            raise NumericsError("region: all points are the same; there is no region to speak of")
        scale = np.where(spread > 0, spread, 1.0)
        return cls(centre, scale, _hull((points - centre) / scale))

    @classmethod
    def unknown(cls) -> FittedRegion:
        """Return the region of a surrogate that came without one: no pair is known to be inside."""
        return cls(np.zeros(2), np.ones(2), np.zeros((0, 2)))

    @property
    def known(self) -> bool:
        """Whether there is a region to speak of."""
        return len(self.vertices) > 0

    def outside(self, ed: np.ndarray | Tensor, vd: np.ndarray | Tensor) -> np.ndarray:
        """Return True for each pair outside the region (any shape; NaN counts as outside).

        Where the region is not known every pair is, since no claim can be made of any.
        """
        x = (_as_numpy(ed) - self.centre[0]) / self.scale[0]
        y = (_as_numpy(vd) - self.centre[1]) / self.scale[1]
        inside = np.isfinite(x) & np.isfinite(y) & self.known
        if not self.known:
            return ~inside
        start = self.vertices
        edge = np.roll(start, -1, axis=0) - start
        edge /= np.linalg.norm(edge, axis=1, keepdims=True)
        if len(start) == 2:
            along = (x - start[0, 0]) * edge[0, 0] + (y - start[0, 1]) * edge[0, 1]
            length = np.linalg.norm(start[1] - start[0])
            inside &= (along >= -_TOLERANCE) & (along <= length + _TOLERANCE)
        for (x0, y0), (dx, dy) in zip(start, edge, strict=True):
            inside &= dx * (y - y0) - dy * (x - x0) >= -_TOLERANCE
        return ~inside

    def outside_share(self, ed: np.ndarray | Tensor, vd: np.ndarray | Tensor) -> float:
        """Return the share (0 to 1) of pairs outside the region; NaN if it is not known."""
        if not self.known:
            return float("nan")
        return float(self.outside(ed, vd).mean())

    def to_json(self) -> dict[str, Any]:
        """Return the region as plain lists."""
        return {
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "vertices": self.vertices.tolist(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FittedRegion:
        """Return the region that :meth:`to_json` wrote."""
        centre, scale, vertices = (
            np.array(values[key], float) for key in ("centre", "scale", "vertices")
        )
        return cls(centre, scale, vertices.reshape(-1, 2))


def _hull(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import ConvexHull, QhullError  # slow to import; a fit alone needs it

    # The points have zero mean, so the axes of their covariance are those of the cloud.
    _, axes = np.linalg.eigh(points.T @ points)
    across, along = points @ axes[:, 0], points @ axes[:, 1]
    if np.ptp(across) <= 2 * _TOLERANCE:
        return points[[int(along.argmin()), int(along.argmax())]]
    try:
        vertices = points[ConvexHull(points).vertices]
    except QhullError as error:
        raise NumericsError(f"region: no hull of {len(points)} points: {error}") from error
    tolerance = _TOLERANCE / 10
    while len(vertices) > _MOST_VERTICES:
        vertices = _thinned(vertices, tolerance)
        tolerance *= 2
    return vertices


def _thinned(vertices: np.ndarray, tolerance: float) -> np.ndarray:
    """Drop vertices that lie within ``tolerance`` of the line between their neighbours."""
    kept = [vertices[0]]
    for vertex, following in zip(vertices[1:], np.roll(vertices, -2, axis=0), strict=False):
        chord, offset = following - kept[-1], vertex - kept[-1]
        height = abs(chord[0] * offset[1] - chord[1] * offset[0]) / np.linalg.norm(chord)
        if height > tolerance:
            kept.append(vertex)
    return np.array(kept)


def _as_numpy(values: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values)
