"""Where a teacher's pairs come from: their moments, and the log-probabilities that label them.

``domain`` has to serve heads whose log-variances mostly run to the lower bound, while a head that
has just begun sits near log-variance 0, where logits reach hundreds below zero. Its density was
chosen by the error and the rank correlation at trained heads:

- the level of each side's log-variances is uniform over the three units above the lower bound in
  four pairs of five, and over all of the bounds in the fifth;
- dimensions spread around their levels, in 16 groups, by a normal of standard deviation 0 to 1, and
  not at all in one pair of five (equal variances are the edge of what (ed, vd) can be);
- the squared distance of the means is uniform over 0 to 2.4 in four of five and over 0 to 4 in the
  fifth, so near (matched) and far pairs are both in;
- each pair has weight 1 / (1 + logit^2) in the fit, so that wide Gaussians do not dominate it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from polymatch.errors import NumericsError
from polymatch.surrogate.inversion import group_equal, log_match_probability
from polymatch.surrogate.moments import distance_moments, paired_distance_moments
from polymatch.surrogate.monte_carlo import (
    grouped_monte_carlo_logs,
    isotropic_monte_carlo_logs,
    monte_carlo_logs,
)
from polymatch.surrogate.probability import log_probability_from_moments

_CHUNK = 1 << 14
# A matrix of all pairs, of which some are picked, is faster than gathering rows up to this ratio.
_MATRIX_RATIO = 16
# Pairs that share normal numbers in Monte Carlo: drawing them is most of its cost.
_SHARED = 16
_GROUPS = 16
_NEAR_SHARE = 0.8
_EVEN_SHARE = 0.2
_NEAR_LEVELS = 3.0
_NEAR_SQUARE = 2.4
_MOST_SQUARE = 4.0

Logs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Estimate:
    """An estimator with its settings; ``chunks`` runs it over the pairs and shows how far it is."""

    method: str
    samples: int
    nodes: int
    scale: float
    shift: float
    generator: torch.Generator
    progress: bool

    def from_moments(self, ed: Tensor, vd: Tensor, width: int) -> Logs:
        return log_probability_from_moments(
            ed, vd, width, self.scale, self.shift, self.method, self.nodes
        )

    def from_groups(self, variance: Tensor, square: Tensor, counts: Tensor) -> Logs:
        return log_match_probability(variance, square, counts, self.scale, self.shift)

    def chunks(self, pairs: int, estimate: Callable[[slice], Logs]) -> Logs:
        p = torch.empty(pairs, dtype=torch.float64)
        q = torch.empty_like(p)
        with tqdm(
            total=pairs,
            desc=f"teacher ({self.method})",
            unit="pair",
            mininterval=5,
            disable=not self.progress,
        ) as bar:
            for start in range(0, pairs, _CHUNK):
                block = slice(start, min(pairs, start + _CHUNK))
                p[block], q[block] = estimate(block)
                bar.update(block.stop - block.start)
        return p, q


def draw_pairs(
    items: int,
    captions: int,
    pairs: int,
    rng: np.random.Generator,
    matched: np.ndarray | None,
    matched_share: float,
) -> tuple[Tensor, Tensor]:
    """Rows of items and of captions, [P] each: random, a share of them matched."""
    rows = rng.integers(0, items, pairs)
    columns = rng.integers(0, captions, pairs)
    if matched is not None and matched_share > 0:
        matched = np.asarray(matched)
        if matched.shape != (captions,) or matched.min() < 0 or matched.max() >= items:
            raise NumericsError(
                f"teacher: `matched` must give one of {items} items for each of {captions} captions"
            )
        chosen = rng.random(pairs) < matched_share
        rows[chosen] = matched[columns[chosen]]
    return torch.from_numpy(rows), torch.from_numpy(columns)


def isotropic(
    square: Tensor, width: int, log_variance: float, estimate: Estimate
) -> tuple[Tensor, Tensor, Logs]:
    """ed, vd and labels of pairs [P] at squared distances ``square``, one log-variance for all."""
    variance = 2 * float(np.exp(log_variance))
    ed = square / width + variance
    vd = (2 * width * variance**2 + 4 * variance * square) / width**2
    deviation = torch.full((1,), float(np.exp(0.5 * log_variance)))

    def labels(block: slice) -> Logs:
        if estimate.method == "exact":
            part = square[block, None]
            count = torch.full((1,), float(width), dtype=torch.float64)
            return estimate.from_groups(torch.full_like(part, variance), part, count)
        if estimate.method == "monte_carlo":
            distance = square[block].sqrt().float()
            side = deviation.expand(len(distance))
            return isotropic_monte_carlo_logs(
                distance,
                width,
                side,
                side,
                estimate.scale,
                estimate.shift,
                estimate.samples,
                estimate.generator,
            )
        return estimate.from_moments(ed[block], vd[block], width)

    return ed, vd, estimate.chunks(len(square), labels)


def general(
    gaussians: tuple[Tensor, Tensor, Tensor, Tensor],
    rows: Tensor,
    columns: Tensor,
    estimate: Estimate,
) -> tuple[Tensor, Tensor, Logs]:
    """ed, vd and labels of pairs of given Gaussians (means and log-variances of both sides)."""
    items, item_logvar, captions, caption_logvar = gaussians
    pairs, width = len(rows), items.shape[1]
    moments = torch.empty((2, pairs), dtype=torch.float64)
    if len(items) * len(captions) <= pairs:
        order = torch.argsort(rows)
        step = max(1, (1 << 20) // len(captions))
        bounds = torch.searchsorted(rows[order], torch.arange(0, len(items) + step, step))
        for block, start in enumerate(range(0, len(items), step)):
            here = order[bounds[block] : bounds[block + 1]]
            part = slice(start, start + step)
            matrices = distance_moments(items[part], item_logvar[part], captions, caption_logvar)
            for moment, matrix in zip(moments, matrices, strict=True):
                moment[here] = matrix[rows[here] - start, columns[here]]
    else:
        step = max(1, (1 << 20) // width)
        for start in range(0, pairs, step):
            i, j = rows[start : start + step], columns[start : start + step]
            part_moments = paired_distance_moments(
                items[i], item_logvar[i], captions[j], caption_logvar[j]
            )
            moments[:, start : start + step] = torch.stack(part_moments)

    deviation_a, deviation_b = (0.5 * item_logvar).exp(), (0.5 * caption_logvar).exp()

    def labels(block: slice) -> Logs:
        if estimate.method in ("gauss_hermite", "gamma"):
            return estimate.from_moments(moments[0, block], moments[1, block], width)
        parts = []
        step = _SHARED * max(1, (1 << 20) // (_SHARED * width))
        for start in range(block.start, block.stop, step):
            i = rows[start : min(block.stop, start + step)]
            j = columns[start : min(block.stop, start + step)]
            difference = items.index_select(0, i) - captions.index_select(0, j)
            if estimate.method == "exact":
                variance = item_logvar[i].double().exp() + caption_logvar[j].double().exp()
                groups = group_equal(variance, difference.double().square())
                parts.append(estimate.from_groups(*groups))
            else:
                parts.append(
                    monte_carlo_logs(
                        difference,
                        deviation_a.index_select(0, i),
                        deviation_b.index_select(0, j),
                        estimate.scale,
                        estimate.shift,
                        estimate.samples,
                        estimate.generator,
                        _SHARED,
                    )
                )
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    return moments[0], moments[1], estimate.chunks(pairs, labels)


def domain(
    width: int,
    pairs: int,
    bounds: tuple[float, float],
    rng: np.random.Generator,
    estimate: Estimate,
) -> tuple[Tensor, Tensor, Logs]:
    """ed, vd and labels of ``pairs`` made-up pairs that cover what a trained head can reach."""
    groups = min(_GROUPS, width)
    counts = np.full(groups, width // groups)
    counts[: width % groups] += 1
    spread = rng.random(pairs) * (rng.random(pairs) >= _EVEN_SHARE)
    variance_a = _domain_variances(spread, groups, bounds, rng)
    variance_b = _domain_variances(spread, groups, bounds, rng)
    near = rng.random(pairs) < _NEAR_SHARE
    square = rng.uniform(0, np.where(near, _NEAR_SQUARE, _MOST_SQUARE))
    # Groups share the distance in proportion to their size, give or take half of it.
    shares = rng.gamma(4 * counts * groups / width, size=(pairs, groups))
    squares = square[:, None] * shares / shares.sum(1, keepdims=True)
    variance = variance_a + variance_b
    ed = torch.from_numpy((squares.sum(1) + variance @ counts) / width)
    second = 2 * (variance**2) @ counts + 4 * (squares * variance).sum(1)
    vd = torch.from_numpy(second / width**2)
    multiplicity = torch.from_numpy(counts.astype(np.float64))

    def labels(block: slice) -> Logs:
        if estimate.method == "exact":
            parts = torch.from_numpy(variance[block]), torch.from_numpy(squares[block])
            return estimate.from_groups(*parts, multiplicity)
        if estimate.method == "monte_carlo":
            return grouped_monte_carlo_logs(
                torch.from_numpy(squares[block]),
                torch.from_numpy(variance_a[block]),
                torch.from_numpy(variance_b[block]),
                multiplicity,
                estimate.scale,
                estimate.shift,
                estimate.samples,
                estimate.generator,
                _SHARED,
            )
        return estimate.from_moments(ed[block], vd[block], width)

    return ed, vd, estimate.chunks(pairs, labels)


def _domain_variances(
    spread: np.ndarray, groups: int, bounds: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    low, high = bounds
    pairs = len(spread)
    near = rng.random(pairs) < _NEAR_SHARE
    level = rng.uniform(low, np.where(near, min(high, low + _NEAR_LEVELS), high))
    around = spread[:, None] * rng.normal(size=(pairs, groups))
    return np.exp(np.clip(level[:, None] + around, low, high))


def squared_distances(items: Tensor, captions: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """|mu_a - mu_b|^2 of unit means, [P]; from a matrix of all pairs where that is less work."""
    pairs = len(rows)
    product = torch.empty(pairs, dtype=torch.float64)
    if len(items) * len(captions) <= _MATRIX_RATIO * pairs:
        # Rows of the matrix in blocks: the pairs of each block are picked as it is made.
        order = torch.argsort(rows)
        wide = captions.double()
        step = max(1, (1 << 22) // len(captions))
        bounds = torch.searchsorted(rows[order], torch.arange(0, len(items) + step, step))
        for block, start in enumerate(range(0, len(items), step)):
            here = order[bounds[block] : bounds[block + 1]]
            matrix = items[start : start + step].double() @ wide.T
            product[here] = matrix[rows[here] - start, columns[here]]
    else:
        step = max(1, (1 << 18) // items.shape[1])
        for start in range(0, pairs, step):
            some = slice(start, start + step)
            gathered = items.index_select(0, rows[some])
            gathered *= captions.index_select(0, columns[some])
            product[some] = gathered.sum(1, dtype=torch.float64)
    norms = items.double().square().sum(1)[rows] + captions.double().square().sum(1)[columns]
    return (norms - 2 * product).clamp(min=0)
