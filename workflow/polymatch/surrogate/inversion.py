"""The exact match probability: inversion of a Laplace transform along a line through its saddle.

For Q = dist^2 of two diagonal Gaussians, with s_j = v_aj + v_bj and d_j the difference of means,

    p = E[sigmoid(b - a Q)] = 1/(2 pi i) * integral of pi / sin(pi z) e^{b z} M(z) dz,  0 < Re z < 1
    M(z) = E[e^{-a z Q}] = prod_j (1 + 2 a s_j z)^{-1/2} exp(-a z d_j^2 / (1 + 2 a s_j z))

On Re z = 0 this is Gil-Pelaez's inversion (Biometrika 38, 1951) of P(a Q + L <= b) with L logistic,
whose characteristic function is pi t / sinh(pi t). Two decisions:

- The line is moved to the saddle point. There the integrand is as small as p itself, so p has
  *relative* accuracy, 1e-11 or better however small it is; the plain inversion has an absolute
  accuracy of 1e-12, and from p = 1e-130 no logit could be had.
- The trapezoidal rule, whose error for an analytic integrand is known: e^{-w 2 pi / h} times the
  integrand a distance w off the line. Step and range follow from it pair by pair; about 100 nodes
  to t = 11 where the variance is small, fewer where it is large.

Where p is nearly E[e^{b - aQ}] the line is moved past the pole at 1, whose residue that is; where p
is nearly 1 it is moved below 0, which gives 1 - p in the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# e^-30: what is left out of the sum, relative to the result.
_DIGITS = 30.0
_HALVINGS = 8
_SIZE = 1 << 14


def log_match_probability(
    variance: Tensor, square: Tensor, multiplicity: Tensor, scale: float, shift: float
) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p), [P] each, of P pairs in float64.

    Dimensions of equal variance may be given as one: ``variance`` [P, G] is the s of each of G
    groups, ``square`` [P, G] the sum of d^2 in it and ``multiplicity`` [P, G] or [G] its number of
    dimensions (any positive number: a gamma distribution of shape k and scale theta is the group
    of variance theta / 2 and 2 k dimensions).
    """
    pairs, groups = variance.shape
    rows = max(1, _SIZE // groups)
    parts = []
    for start in range(0, pairs, rows):
        block = slice(start, start + rows)
        counts = multiplicity[block] if multiplicity.ndim == 2 else multiplicity
        transform = _Transform.of(variance[block], square[block], counts, scale, shift)
        parts.append(_invert(transform))
    small = torch.cat([part[0] for part in parts]) if parts else variance.new_zeros(0)
    is_complement = torch.cat([part[1] for part in parts]) if parts else small.bool()
    large = torch.log1p(-torch.exp(small.clamp(max=-1e-300)))
    return torch.where(is_complement, large, small), torch.where(is_complement, small, large)


def group_equal(variance: Tensor, square: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return variance, square and multiplicity, as one group where each pair has one variance.

    ``variance`` and ``square`` are [P, D], a dimension each; one group costs a D-th.
    """
    count = torch.ones(1, dtype=torch.float64)
    if bool((variance == variance[:, :1]).all()):
        return variance[:, :1], square.sum(1, keepdim=True), count * variance.shape[1]
    return variance, square, count


@dataclass(frozen=True)
class _Transform:
    """e^{b z} M(z): ``growth`` is 2 a s, ``pull`` a d^2, ``power`` half the multiplicity."""

    growth: Tensor
    pull: Tensor
    power: Tensor
    shift: float

    @classmethod
    def of(
        cls, variance: Tensor, square: Tensor, multiplicity: Tensor, scale: float, shift: float
    ) -> _Transform:
        power = (0.5 * multiplicity).expand_as(variance)
        return cls(2 * scale * variance, scale * square, power, shift)

    def __getitem__(self, rows: Tensor) -> _Transform:
        return _Transform(self.growth[rows], self.pull[rows], self.power[rows], self.shift)

    def log(self, c: Tensor) -> Tensor:
        """log of the transform at real ``c`` [P]."""
        grown = c[:, None] * self.growth
        lost = self.power * torch.log1p(grown) + c[:, None] * self.pull / (1 + grown)
        return self.shift * c - lost.sum(1)

    def slope(self, c: Tensor) -> Tensor:
        inverse = 1 / (1 + c[:, None] * self.growth)
        return self.shift - ((self.power * self.growth + self.pull * inverse) * inverse).sum(1)


def _invert(transform: _Transform) -> tuple[Tensor, Tensor]:
    """Return log p, or log(1 - p) where the second, a mask, says so."""
    line, left, right, reference = _lines(transform)
    height = transform.log(line) + _log_pole(line)
    need = (_DIGITS + height - reference).clamp(min=0.0)
    step = 2 * math.pi / _alias_distance(transform, line, left, right, height, need)
    reach = _reach(transform, line, need)
    count = (reach / step).ceil().long().clamp(min=1)
    total = torch.empty_like(line)
    order = torch.argsort(count)
    groups = transform.growth.shape[1]
    start = 0
    while start < len(order):
        # Pairs come in order of their node counts, so the last of a chunk needs the most.
        nodes = int(count[order[start]])
        stop = min(len(order), start + max(1, _SIZE // (groups * nodes)))
        nodes = int(count[order[stop - 1]])
        rows = order[start:stop]
        total[rows] = _trapezoid(transform[rows], line[rows], step[rows], nodes)
        start = stop
    integral = total * step / math.pi
    past_pole = line > 1
    log_integral = height - reference + torch.log(integral.abs())
    value = torch.where(past_pole, torch.log1p(-log_integral.exp()), log_integral)
    return reference + value, line < 0


def _lines(transform: _Transform) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Choose each pair's line, its singularities on either side, and log of the result's size."""
    pairs = len(transform.growth)
    zero = transform.growth.new_zeros(pairs)
    one = zero + 1
    left, right = zero.clone(), one.clone()
    line = _saddle(transform, left, right)
    reference = transform.log(line) + _log_pole(line)

    low = (line > 0.6).nonzero()[:, 0]
    if len(low):
        part = transform[low]
        beyond = _saddle(part, one[low], 2 * one[low]).clamp(1.4, 1.6)
        residue = part.log(one[low])
        better = part.log(beyond) + _log_pole(beyond) <= residue + math.log(20.0)
        rows = low[better]
        line[rows], reference[rows] = beyond[better], residue[better]
        left[rows], right[rows] = 1.0, 2.0

    high = (transform.slope(zero) > 1).nonzero()[:, 0]
    if len(high):
        part = transform[high]
        edge = torch.maximum(-one[high], -1 / part.growth.amax(1))
        below = _saddle(part, edge, zero[high])
        size = part.log(below) + _log_pole(below)
        better = size < math.log(0.1)
        rows = high[better]
        line[rows], reference[rows] = below[better], size[better]
        left[rows], right[rows] = edge[better], 0.0
    return line, left, right, reference


def _log_pole(line: Tensor) -> Tensor:
    """log |pi / sin(pi c)|."""
    return math.log(math.pi) - torch.log(torch.sin(math.pi * (line - line.floor())))


def _saddle(transform: _Transform, left: Tensor, right: Tensor) -> Tensor:
    """Least point of the integrand between two singularities, to 1/256 of their distance."""
    low, high = left.clone(), right.clone()
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        falls = transform.slope(middle) < math.pi / torch.tan(math.pi * middle)
        low = torch.where(falls, middle, low)
        high = torch.where(falls, high, middle)
    return 0.5 * (low + high)


def _alias_distance(
    transform: _Transform, line: Tensor, left: Tensor, right: Tensor, height: Tensor, need: Tensor
) -> Tensor:
    """Return 2 pi / h: how far apart the aliases of the trapezoidal rule must lie."""
    distance = torch.ones_like(line)
    for edge in (left, right):
        least = torch.full_like(line, torch.inf)
        for share in (0.5, 0.7, 0.9):
            width = share * (edge - line)
            moved = line + width
            rise = transform.log(moved) + _log_pole(moved) - height
            least = torch.minimum(least, (need + rise) / width.abs())
        distance = torch.maximum(distance, least)
    return distance


def _reach(transform: _Transform, line: Tensor, need: Tensor) -> Tensor:
    """Return the t beyond which the integrand is e^-need of its height (from above, within 5%)."""
    low, high = torch.full_like(line, 1e-4), need / math.pi + 2
    ratio, width = _along(transform, line)
    decay = transform.pull * transform.growth * width**3
    sine = torch.sin(math.pi * (line - line.floor()))
    for _ in range(_HALVINGS):
        middle = torch.sqrt(low * high)
        t = middle[:, None]
        grown = 1 + (t * ratio).square()
        lost = (0.5 * transform.power * torch.log(grown) + t * t * decay / grown).sum(1)
        lost += 0.5 * torch.log1p((torch.sinh(math.pi * middle) / sine).square())
        enough = lost > need
        high = torch.where(enough, middle, high)
        low = torch.where(enough, low, middle)
    return high


def _along(transform: _Transform, line: Tensor) -> tuple[Tensor, Tensor]:
    width = 1 / (1 + line[:, None] * transform.growth)
    return transform.growth * width, width


def _trapezoid(transform: _Transform, line: Tensor, step: Tensor, nodes: int) -> Tensor:
    """Sum of Re f(c + i k h) / f(c) over k = 0 .. nodes, the first at half weight."""
    t = step[:, None] * torch.arange(1, nodes + 1, dtype=line.dtype)
    ratio, width = _along(transform, line)
    z = t[:, :, None] * ratio[:, None, :]
    angle = torch.atan(z)
    z.square_().add_(1)
    weights = torch.stack(
        [transform.pull * width**2, transform.pull * transform.growth * width**3], 2
    )
    turn, decay = torch.bmm(1 / z, weights).unbind(2)
    power = transform.power[:, :, None]
    lost = 0.5 * torch.bmm(z.log_(), power)[:, :, 0] + t * t * decay
    phase = transform.shift * t - torch.bmm(angle, power)[:, :, 0] - t * turn
    within = math.pi * (line - line.floor())[:, None]
    lost += 0.5 * torch.log1p((torch.sinh(math.pi * t) / torch.sin(within)).square())
    phase -= torch.atan(torch.tanh(math.pi * t) / torch.tan(within))
    return 0.5 + (torch.exp(-lost) * torch.cos(phase)).sum(1)
