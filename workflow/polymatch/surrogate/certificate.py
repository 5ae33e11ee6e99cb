"""How far a surrogate can be trusted on the pairs that it is used on.

The exact probability is the judge. Errors are those of the probability, which is what the
surrogate stands for and lies between 0 and 1; errors of the logit are given beside them, since a
ranking of pairs that all have small probabilities lives there. What they do to the ranking itself
is in :mod:`polymatch.surrogate.ranking`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import NumericsError
from polymatch.surrogate.moments import as_tensors, distance_moments, paired_distance_moments
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.probability import match_logit
from polymatch.surrogate.ranking import check_positives

_PAIRS = 1 << 20


def certificate(
    mu_items: np.ndarray | Tensor,
    logvar_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    logvar_captions: np.ndarray | Tensor,
    surrogate: PolynomialSurrogate,
    scale: float,
    shift: float,
    pairs: int = 2000,
    seed: int = 0,
    positives: np.ndarray | None = None,
) -> dict[str, float | int]:
    """Compare a surrogate with the exact probability on the pairs of a test split.

    Items are [N, D], captions [M, D]. ``positives`` [Q, 2] are pairs (item, caption) that match;
    up to ``pairs`` of them are judged beside ``pairs`` random ones.

    Returns a dict: ``outside_share`` (0 to 1, of all N x M pairs), ``sampled`` and ``inside`` (how
    many pairs were judged, and how many of these lie in the fitted region),
    ``probability_max`` / ``probability_mean`` / ``logit_max`` / ``logit_mean`` (absolute errors
    over all judged pairs), the same with ``_inside`` for those inside the region (NaN if there
    are none), and ``outside_share_positives`` (NaN without positives). Where it is not known what
    the surrogate was fitted on, both shares are NaN and no pair counts as inside.

    Raises:
        NumericsError: the shapes do not fit together, the surrogate is of another width or was
            fitted to another scale and shift, or ``positives`` names a row that does not exist.
    """
    tensors = as_tensors(mu_items, logvar_items, mu_captions, logvar_captions)
    a, la, b, lb = (tensor.detach().cpu() for tensor in tensors)
    surrogate.check_width(a.shape[1])
    _check_probability(surrogate, scale, shift)
    if not len(a) or not len(b) or pairs < 1:
        raise NumericsError(
            f"certificate: {len(a)} items, {len(b)} captions and {pairs} pairs leave none to judge"
        )
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, len(a), pairs), rng.integers(0, len(b), pairs)
    matching = np.zeros(pairs, bool)
    if positives is not None and len(positives):
        chosen = np.asarray(positives)
        check_positives(chosen, len(a), len(b))
        if len(chosen) > pairs:
            chosen = chosen[rng.permutation(len(chosen))[:pairs]]
        rows, columns = np.append(rows, chosen[:, 0]), np.append(columns, chosen[:, 1])
        matching = np.append(matching, np.ones(len(chosen), bool))
    judged = a[rows], la[rows], b[columns], lb[columns]
    ed, vd = (moment.numpy() for moment in paired_distance_moments(*judged))
    exact = match_logit(*judged, scale, shift).numpy()
    fitted = surrogate.logits(ed, vd)
    inside = ~surrogate.region.outside(ed, vd)
    errors = {
        "probability": np.abs(_sigmoid(fitted) - _sigmoid(exact)),
        "logit": np.abs(fitted - exact),
    }
    figures: dict[str, float | int] = {
        "outside_share": _outside_share(a, la, b, lb, surrogate),
        "outside_share_positives": _mean(~inside[matching]) if surrogate.region.known else np.nan,
        "sampled": len(exact),
        "inside": int(inside.sum()),
    }
    for name, values in errors.items():
        figures[f"{name}_max"] = float(values.max())
        figures[f"{name}_mean"] = float(values.mean())
        figures[f"{name}_max_inside"] = float(values[inside].max()) if inside.any() else np.nan
        figures[f"{name}_mean_inside"] = _mean(values[inside])
    return figures


def _check_probability(surrogate: PolynomialSurrogate, scale: float, shift: float) -> None:
    for name, value in (("scale", scale), ("shift", shift)):
        fitted = surrogate.teacher.get(name)
        if fitted is not None and not np.isclose(float(fitted), value):
            raise NumericsError(
                f"certificate: the surrogate was fitted with {name} {fitted:g}, not {value:g}; "
                "compare it with its own teacher's"
            )


def _outside_share(
    a: Tensor, la: Tensor, b: Tensor, lb: Tensor, surrogate: PolynomialSurrogate
) -> float:
    if not surrogate.region.known:
        return float("nan")
    outside = 0
    rows = max(1, _PAIRS // len(b))
    with torch.no_grad():
        for start in range(0, len(a), rows):
            block = slice(start, start + rows)
            moments = distance_moments(a[block], la[block], b, lb)
            outside += int(surrogate.region.outside(*moments).sum())
    return outside / (len(a) * len(b))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logit))
