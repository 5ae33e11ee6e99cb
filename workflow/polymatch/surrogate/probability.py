"""Match probability p = E[sigmoid(shift - scale dist^2)] of two Gaussian embeddings.

Chun et al. (CVPR 2021), equation 4; dist^2 is the squared distance, not divided by the width.
Four estimators behind one call:

- ``exact``: the inversion of :mod:`polymatch.surrogate.inversion`, good to 1e-12 of p itself.
- ``monte_carlo``: equation 5, K samples a side and all K x K pairs of them.
- ``gauss_hermite``: as if dist^2 were normal with its own mean and variance.
- ``gamma``: as if dist^2 were gamma with its own mean and variance (it cannot become negative, so
  it stays right where p is small); inverted exactly.

:func:`match_logit` is computed from log p and log(1 - p), never by clipping: with wide Gaussians
logits of -300 are ordinary.
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import NumericsError
from polymatch.surrogate.inversion import group_equal, log_match_probability
from polymatch.surrogate.moments import as_tensors, paired_distance_moments
from polymatch.surrogate.monte_carlo import isotropic_monte_carlo_logs, log_means, monte_carlo_logs
from polymatch.surrogate.threads import one_thread

METHODS = ("exact", "monte_carlo", "gauss_hermite", "gamma")

_NUMBERS = 1 << 19
_NODE_NUMBERS = 1 << 14


@overload
def match_probability(
    mu_a: np.ndarray,
    logvar_a: np.ndarray,
    mu_b: np.ndarray,
    logvar_b: np.ndarray,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> np.ndarray: ...
@overload
def match_probability(
    mu_a: Tensor,
    logvar_a: Tensor,
    mu_b: Tensor,
    logvar_b: Tensor,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> Tensor: ...
def match_probability(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> np.ndarray | Tensor:
    """Return the match probability of P pairs, [P] in float64; all four arrays are [P, D].

    ``samples`` is the K of ``monte_carlo``, ``generator`` its source of randomness or a seed;
    ``nodes`` are those of ``gauss_hermite``. No gradients.

    Raises:
        NumericsError: an unknown method, K or nodes below 1, a scale that is not positive, shapes
            that do not fit, values that are not finite.

    >>> mu, logvar = np.eye(2), np.full((2, 2), -40.0)
    >>> match_probability(mu, logvar, mu[::-1], logvar, scale=1.0, shift=2.0).round(9)
    array([0.5, 0.5])
    """
    logs = _log_pair(
        mu_a, logvar_a, mu_b, logvar_b, scale, shift, method, samples, nodes, generator
    )
    probability = logs[0].exp()
    return probability if isinstance(mu_a, Tensor) else probability.numpy()


@overload
def match_logit(
    mu_a: np.ndarray,
    logvar_a: np.ndarray,
    mu_b: np.ndarray,
    logvar_b: np.ndarray,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> np.ndarray: ...
@overload
def match_logit(
    mu_a: Tensor,
    logvar_a: Tensor,
    mu_b: Tensor,
    logvar_b: Tensor,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> Tensor: ...
def match_logit(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
    scale: float,
    shift: float,
    method: str = "exact",
    *,
    samples: int = 10,
    nodes: int = 32,
    generator: torch.Generator | int = 0,
) -> np.ndarray | Tensor:
    """Return log(p / (1 - p)) of :func:`match_probability`, right where p itself underflows.

    >>> mu, logvar = np.eye(2), np.full((2, 2), -40.0)
    >>> match_logit(mu, logvar, mu[::-1], logvar, scale=400.0, shift=0.0).round(6)
    array([-800., -800.])
    """
    logs = _log_pair(
        mu_a, logvar_a, mu_b, logvar_b, scale, shift, method, samples, nodes, generator
    )
    logit = logs[0] - logs[1]
    return logit if isinstance(mu_a, Tensor) else logit.numpy()


def log_probability_from_moments(
    ed: Tensor,
    vd: Tensor,
    width: int,
    scale: float,
    shift: float,
    method: str = "gauss_hermite",
    nodes: int = 32,
) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p) from the moments alone (``gauss_hermite`` or ``gamma``).

    ``ed`` and ``vd`` are of any one shape, divided by ``width`` and its square as everywhere.
    """
    check_settings(scale, shift, method, nodes=nodes)
    mean = ed.detach().reshape(-1).double().cpu() * width
    variance = vd.detach().reshape(-1).double().cpu() * width**2
    if method == "gauss_hermite":
        logs = _gauss_hermite(mean, variance, scale, shift, nodes)
    elif method == "gamma":
        theta = (variance / mean).clamp(min=1e-300)
        power = mean / theta
        logs = log_match_probability(
            (0.5 * theta)[:, None],
            torch.zeros_like(mean)[:, None],
            2 * power[:, None],
            scale,
            shift,
        )
    else:
        raise NumericsError(
            f"match probability: {method!r} needs the Gaussians, not only their moments; "
            "gauss_hermite and gamma need the moments"
        )
    return logs[0].reshape(ed.shape).to(ed.device), logs[1].reshape(ed.shape).to(ed.device)


def check_settings(
    scale: float, shift: float, method: str, samples: int = 1, nodes: int = 1
) -> None:
    """Raise NumericsError for a setting that no estimator can take."""
    if method not in METHODS:
        raise NumericsError(
            f"match probability: method {method!r} is not one of {', '.join(METHODS)}"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise NumericsError(f"match probability: scale is {scale}; it must be above 0")
    if not math.isfinite(shift):
        raise NumericsError(f"match probability: shift is {shift}; it must be finite")
    if samples < 1:
        raise NumericsError(f"match probability: samples is {samples}; K must be 1 or more")
    if nodes < 1:
        raise NumericsError(f"match probability: nodes is {nodes}; take 1 or more")


def _log_pair(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
    scale: float,
    shift: float,
    method: str,
    samples: int,
    nodes: int,
    generator: torch.Generator | int,
) -> tuple[Tensor, Tensor]:
    check_settings(scale, shift, method, samples, nodes)
    tensors = as_tensors(mu_a, logvar_a, mu_b, logvar_b, paired=True)
    device = tensors[0].device
    a, la, b, lb = (tensor.detach().cpu() for tensor in tensors)
    for name, values in (("mu_a", a), ("logvar_a", la), ("mu_b", b), ("logvar_b", lb)):
        if not bool(torch.isfinite(values).all()):
            row = int((~torch.isfinite(values)).any(1).nonzero()[0, 0])
            raise NumericsError(f"match probability: {name} of pair {row} is not finite")
    if len(a) == 0:
        return a.new_zeros(0).double(), a.new_zeros(0).double()
    with one_thread():
        logs = _estimate(a, la, b, lb, scale, shift, method, samples, nodes, generator)
    return logs[0].to(device), logs[1].to(device)


def _estimate(
    a: Tensor,
    la: Tensor,
    b: Tensor,
    lb: Tensor,
    scale: float,
    shift: float,
    method: str,
    samples: int,
    nodes: int,
    generator: torch.Generator | int,
) -> tuple[Tensor, Tensor]:
    if method in ("gauss_hermite", "gamma"):
        moments = paired_distance_moments(a, la, b, lb)
        return log_probability_from_moments(*moments, a.shape[1], scale, shift, method, nodes)
    if method == "exact":
        return _exact(a, la, b, lb, scale, shift)
    if isinstance(generator, int):
        generator = torch.Generator().manual_seed(generator)
    return _monte_carlo(a, la, b, lb, scale, shift, samples, generator)


def _exact(
    a: Tensor, la: Tensor, b: Tensor, lb: Tensor, scale: float, shift: float
) -> tuple[Tensor, Tensor]:
    p, q = [], []
    rows = max(1, 4 * _NUMBERS // a.shape[1])
    for start in range(0, len(a), rows):
        block = slice(start, start + rows)
        square = (a[block].double() - b[block].double()).square()
        variance = la[block].double().exp() + lb[block].double().exp()
        logs = log_match_probability(*group_equal(variance, square), scale, shift)
        p.append(logs[0])
        q.append(logs[1])
    return torch.cat(p), torch.cat(q)


def _monte_carlo(
    a: Tensor,
    la: Tensor,
    b: Tensor,
    lb: Tensor,
    scale: float,
    shift: float,
    samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    p, q = [], []
    rows = max(1, 4 * _NUMBERS // a.shape[1])
    for start in range(0, len(a), rows):
        block = slice(start, start + rows)
        side_a, side_b = (0.5 * la[block]).exp(), (0.5 * lb[block]).exp()
        difference = a[block] - b[block]
        settings = (scale, shift, samples, generator)
        if all(bool((side == side[:, :1]).all()) for side in (side_a, side_b)):
            distance, dim = difference.norm(dim=1), difference.shape[1]
            logs = isotropic_monte_carlo_logs(distance, dim, side_a[:, 0], side_b[:, 0], *settings)
        else:
            logs = monte_carlo_logs(difference, side_a, side_b, *settings)
        p.append(logs[0])
        q.append(logs[1])
    return torch.cat(p), torch.cat(q)


def _gauss_hermite(
    mean: Tensor, variance: Tensor, scale: float, shift: float, nodes: int
) -> tuple[Tensor, Tensor]:
    points, weights = np.polynomial.hermite.hermgauss(nodes)
    at = torch.from_numpy(math.sqrt(2.0) * scale * points)
    weight = torch.from_numpy(weights / weights.sum())
    p, q = torch.empty_like(mean), torch.empty_like(mean)
    rows = max(1, _NODE_NUMBERS // nodes)
    for start in range(0, len(mean), rows):
        block = slice(start, start + rows)
        centre = shift - scale * mean[block]
        argument = torch.addcmul(centre[:, None], variance[block].sqrt()[:, None], at[None, :])
        p[block], q[block] = log_means(argument, weight)
    return p, q
