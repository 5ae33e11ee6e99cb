"""Monte Carlo estimates of log p and log(1 - p): K samples a side, all K x K pairs of them.

The law of every estimate is that of the plain form (draw 2 K vectors, take all distances); how it
is drawn is chosen by what is cheapest: equal variances need only the samples' inner products, whose
law is known (Bartlett), and other pairs share normal numbers in groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

_NUMBERS = 1 << 19


def monte_carlo_logs(
    difference: Tensor,
    deviation_a: Tensor,
    deviation_b: Tensor,
    scale: float,
    shift: float,
    samples: int,
    generator: torch.Generator,
    shared: int = 1,
) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p) of P pairs by K x K samples; the arrays are [P, D].

    ``difference`` is mu_a - mu_b, the others the standard deviations. ``shared`` consecutive pairs
    use the same normal numbers: each pair's estimate has the law it would have alone, but those of
    one such group are not independent of each other.
    """
    pairs, dim = difference.shape
    rows = shared * max(1, _NUMBERS // (dim * (samples + 3) * shared))
    p, q = [], []
    for start in range(0, pairs, rows):
        block = slice(start, start + rows)
        sides = difference[block], deviation_a[block], deviation_b[block]
        squares = _squares_by_sampling(*sides, samples, generator, shared)
        logs = log_means(shift - scale * squares.double().flatten(1))
        p.append(logs[0])
        q.append(logs[1])
    return torch.cat(p), torch.cat(q)


def isotropic_monte_carlo_logs(
    distance: Tensor,
    width: int,
    deviation_a: Tensor,
    deviation_b: Tensor,
    scale: float,
    shift: float,
    samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """As :func:`monte_carlo_logs` for deviations equal in all dimensions; all arrays are [P].

    ``distance`` is |mu_a - mu_b|. The K x K distances of samples then depend on 2 K + 1
    directions only, and their joint law is drawn directly (Bartlett's decomposition of a Wishart
    matrix) in place of 2 K vectors of D numbers: the same estimator at any width.
    """
    pairs, points = len(distance), 2 * samples
    if width - 1 < points:
        spread = distance[:, None] * torch.eye(1, width, dtype=distance.dtype)
        side_a, side_b = (side[:, None].expand_as(spread) for side in (deviation_a, deviation_b))
        return monte_carlo_logs(spread, side_a, side_b, scale, shift, samples, generator)
    rows = max(1, _NUMBERS // (3 * points * points))
    p, q = [], []
    for start in range(0, pairs, rows):
        block = slice(start, start + rows)
        squares = _squares_by_bartlett(
            distance[block], width, deviation_a[block], deviation_b[block], samples, generator
        )
        logs = log_means(shift - scale * squares.double().flatten(1))
        p.append(logs[0])
        q.append(logs[1])
    return torch.cat(p), torch.cat(q)


def grouped_monte_carlo_logs(
    square: Tensor,
    variance_a: Tensor,
    variance_b: Tensor,
    counts: Tensor,
    scale: float,
    shift: float,
    samples: int,
    generator: torch.Generator,
    shared: int = 1,
) -> tuple[Tensor, Tensor]:
    """As :func:`monte_carlo_logs` for variances equal within groups of dimensions.

    ``square`` [P, G] is |mu_a - mu_b|^2 within each of G groups of ``counts`` [G] dimensions, whose
    variances are ``variance_a`` and ``variance_b`` [P, G]. What the K x K distances take from the
    normal numbers are then sums over groups, the same for all pairs that share them.
    """
    pairs, groups = square.shape
    largest = int(counts.max())
    rows = shared * max(1, _NUMBERS // (2 * samples * groups * largest))
    present = torch.arange(largest) < counts[:, None]
    p, q = [], []
    for start in range(0, pairs, rows):
        block = slice(start, start + rows)
        part, side_a, side_b = (
            torch.nn.functional.pad(values[block], (0, 0, 0, -len(square[block]) % shared))
            .to(torch.float32)
            .view(-1, shared, groups)
            for values in (square, variance_a.sqrt(), variance_b.sqrt())
        )
        shape = (2, len(part), groups, samples, largest)
        noise = torch.randn(shape, generator=generator) * present[:, None, :]
        e, h = noise[0], noise[1]
        along = 2 * (part / counts.float()).sqrt()
        cross = (-2 * side_a * side_b) @ (e @ h.mT).flatten(2)
        squares = cross.unflatten(2, (samples, samples)) + part.sum(2)[:, :, None, None]
        squares += _from_side(e, side_a, along)[:, :, :, None]
        squares += _from_side(h, side_b, -along)[:, :, None, :]
        flat = squares.flatten(0, 1)[: len(square[block])].double().flatten(1)
        logs = log_means(shift - scale * flat)
        p.append(logs[0])
        q.append(logs[1])
    return torch.cat(p), torch.cat(q)


def log_means(argument: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """log of the (weighted) means of sigmoid(x) and sigmoid(-x) over the last axis of [P, Q]."""
    if weight is None:
        count = argument.shape[1]
        weight = torch.full((count,), 1 / count, dtype=argument.dtype)
    p = torch.sigmoid(argument) @ weight
    log_p, log_q = p.log(), torch.log1p(-p)
    high = (p > 0.9).nonzero()[:, 0]
    if len(high):
        log_q[high] = (torch.sigmoid(-argument[high]) @ weight).log()
    # Where a mean nears the smallest number, the slower sum of logarithms.
    for result, sign in ((log_p, 1.0), (log_q, -1.0)):
        lost = (result < -650).nonzero()[:, 0]
        if len(lost):
            terms = torch.nn.functional.logsigmoid(sign * argument[lost])
            result[lost] = torch.logsumexp(terms + weight.log(), 1)
    return log_p, log_q


def _from_side(noise: Tensor, deviation: Tensor, along: Tensor) -> Tensor:
    """What one side's K samples add to dist^2 by themselves, [blocks, shared, K]."""
    return deviation.square() @ noise.square().sum(3) + (along * deviation) @ noise.sum(3)


def _squares_by_sampling(
    difference: Tensor,
    deviation_a: Tensor,
    deviation_b: Tensor,
    samples: int,
    generator: torch.Generator,
    shared: int,
) -> Tensor:
    """dist^2 of every pair of samples, [P, K, K], from normal numbers shared by groups of pairs.

    With Delta the difference and e, h the normal numbers, |Delta + s_a e - s_b h|^2 is expanded:
    only the cross term needs an array of a pair's own, K wide on one side.
    """
    pairs, dim = difference.shape
    short = -pairs % shared
    if short:
        grow = (0, 0, 0, short)
        difference, deviation_a, deviation_b = (
            torch.nn.functional.pad(values, grow)
            for values in (difference, deviation_a, deviation_b)
        )
    shape = (-1, shared, dim)
    delta = difference.reshape(shape)
    side_a, side_b = (
        side.expand(difference.shape).reshape(shape) for side in (deviation_a, deviation_b)
    )
    noise = torch.randn((2, len(delta), samples, dim), generator=generator, dtype=delta.dtype)
    e, h = noise[0], noise[1]
    own = torch.einsum("gsd,gsd->gs", delta, delta)[:, :, None, None]
    rows = (side_a.square() @ e.square().mT + 2 * (delta * side_a) @ e.mT)[:, :, :, None]
    columns = (side_b.square() @ h.square().mT - 2 * (delta * side_b) @ h.mT)[:, :, None, :]
    weighted = e[:, None] * (-2 * side_a * side_b)[:, :, None, :]
    cross = weighted.flatten(1, 2) @ h.mT
    squares = cross.view(len(delta), shared, samples, samples) + own + rows + columns
    return squares.flatten(0, 1)[:pairs]


def _squares_by_bartlett(
    distance: Tensor,
    width: int,
    deviation_a: Tensor,
    deviation_b: Tensor,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """dist^2 of every pair of samples, [P, K, K], from 2 K (K + 1) numbers a pair and side.

    Along the difference each sample has one normal number; across it the 2 K samples are 2 K
    normal vectors in D - 1 dimensions, whose Gram matrix is L L' with L lower triangular: normal
    below the diagonal, the square root of a chi-square with D - 1 - i degrees on it.
    """
    pairs, points = len(distance), 2 * samples
    below = torch.tril_indices(points, points, -1)
    along = torch.randn((pairs, points), generator=generator, dtype=distance.dtype)
    normals = torch.randn((pairs, below.shape[1]), generator=generator, dtype=distance.dtype)
    shape = (width - 1 - torch.arange(points, dtype=distance.dtype)) / 2
    chi_squares = 2 * torch._standard_gamma(shape.expand(pairs, -1).contiguous(), generator)
    across = torch.zeros((pairs, points, points), dtype=distance.dtype)
    across[:, below[0], below[1]] = normals
    across.diagonal(dim1=1, dim2=2).copy_(chi_squares.sqrt())
    sides = torch.stack([deviation_a, deviation_b], 1).repeat_interleave(samples, 1)
    along, across = sides * along, sides[:, :, None] * across
    norms = across.square().sum(2)
    line = distance[:, None, None] + along[:, :samples, None] - along[:, None, samples:]
    cross = across[:, :samples] @ across[:, samples:].mT
    return line.square() + norms[:, :samples, None] + norms[:, None, samples:] - 2 * cross
