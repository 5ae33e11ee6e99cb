"""How far a surrogate changes the ranking that the exact match probability would give.

Errors of a logit do not say this: a constant error ranks as well as none, and a small one may
exchange neighbours. So some queries are answered by both, each against its whole gallery: sampled
captions against all items (t2v) and sampled items against all captions (v2t).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import NumericsError
from polymatch.evaluation import retrieval_ranks
from polymatch.evaluation.ranks import DIRECTIONS, Direction
from polymatch.surrogate.moments import as_tensors
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.probability import match_logit
from polymatch.surrogate.similarity import poly_similarity

RECALL_AT = (1, 5, 10)
# What differs by less than the rounding of either logit is one value, as for equal pictures.
_DECIMALS = 9

Sides = tuple[Tensor, Tensor, Tensor, Tensor]


def ranking_certificate(
    mu_items: np.ndarray | Tensor,
    logvar_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    logvar_captions: np.ndarray | Tensor,
    surrogate: PolynomialSurrogate,
    scale: float,
    shift: float,
    positives: np.ndarray,
    queries: int = 50,
    seed: int = 0,
) -> dict[str, float | int]:
    """Rank by the surrogate and by the exact logit, and say how much the two differ.

    Items are [N, D], captions [M, D]; ``positives`` [P, 2] are all pairs (item, caption) that
    match. ``queries`` captions, and as many items, are drawn among those that have a positive (all
    of them where there are fewer).

    Returns a dict, for each direction ``t2v`` and ``v2t``: ``_queries``, how many were asked;
    ``_kendall_tau``, Kendall's tau-b between the two orders of the gallery, mean over queries (0
    for a query that one of the two leaves wholly unordered); for k of 1, 5 and 10
    ``_r<k>_changed``, the share (0 to 1) of queries whose outcome changes (with ties: the change of
    the chance of a hit), and ``_r<k>_difference``, R@k by the surrogate minus R@k by the exact
    logit in percentage points.

    Raises:
        NumericsError: shapes or the surrogate's width do not fit, ``queries`` is below 1, or
            ``positives`` are not pairs of rows that exist.
    """
    sides = as_tensors(mu_items, logvar_items, mu_captions, logvar_captions)
    a, la, b, lb = (tensor.detach().cpu().double() for tensor in sides)
    surrogate.check_width(a.shape[1])
    if queries < 1:
        raise NumericsError(f"certificate: {queries} queries leave no ranking to judge")
    chosen = np.asarray(positives)
    if not len(chosen):
        raise NumericsError("certificate: without positives there is no ranking to judge")
    check_positives(chosen, len(a), len(b))
    rng = np.random.default_rng(seed)
    figures: dict[str, float | int] = {}
    for direction in DIRECTIONS:
        asked = np.unique(chosen[:, 1 if direction == "t2v" else 0])
        if len(asked) > queries:
            asked = np.sort(rng.choice(asked, queries, replace=False))
        rows, columns = np.arange(len(a)), np.arange(len(b))
        if direction == "t2v":
            columns = asked
        else:
            rows = asked
        part = (a[rows], la[rows], b[columns], lb[columns])
        exact = _exact_logits(part, scale, shift)
        fitted = poly_similarity(*part, surrogate).numpy().round(_DECIMALS)
        named = [chosen[chosen[:, 1] == column, 0].tolist() for column in columns]
        compared = _compare(fitted, exact, rows.tolist(), named, direction)
        figures |= {f"{direction}_{name}": value for name, value in compared.items()}
    return figures


def check_positives(positives: np.ndarray, items: int, captions: int) -> None:
    """Raise NumericsError unless ``positives`` [P, 2] are rows (item, caption) that exist."""
    if (
        positives.ndim != 2
        or positives.shape[1] != 2
        or (positives < 0).any()
        or (positives >= (items, captions)).any()
    ):
        raise NumericsError(
            f"certificate: positives must be (item, caption) rows within {items} items and "
            f"{captions} captions"
        )


def _exact_logits(sides: Sides, scale: float, shift: float) -> np.ndarray:
    a, la, b, lb = sides
    rows = torch.arange(len(a)).repeat_interleave(len(b))
    columns = torch.arange(len(b)).repeat(len(a))
    exact = np.empty(len(rows))
    # Pairs are gathered a block at a time: all of them would be N x M x D.
    step = max(1, (1 << 20) // a.shape[1])
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        i, j = rows[block], columns[block]
        exact[block] = match_logit(a[i], la[i], b[j], lb[j], scale, shift).numpy()
    return exact.reshape(len(a), len(b)).round(_DECIMALS)


def _compare(
    fitted: np.ndarray,
    exact: np.ndarray,
    items: list[int],
    named: list[list[int]],
    direction: Direction,
) -> dict[str, float | int]:
    # Only one side is whole here; the other's ranks would be among the sampled queries alone.
    judged, truth = (
        retrieval_ranks(scores, items, named, allow_unmatched=True).of(direction)
        for scores in (fitted, exact)
    )
    across = (fitted.T, exact.T) if direction == "t2v" else (fitted, exact)
    figures: dict[str, float | int] = {
        "queries": len(truth.query_ids),
        "kendall_tau": float(np.mean([_tau(x, y) for x, y in zip(*across, strict=True)])),
    }
    for k in RECALL_AT:
        change = judged.hits(k) - truth.hits(k)
        figures[f"r{k}_changed"] = float(np.abs(change).mean())
        figures[f"r{k}_difference"] = 100 * float(change.mean())
    return figures


def _tau(one: np.ndarray, other: np.ndarray) -> float:
    if not np.ptp(one) or not np.ptp(other):
        return 0.0
    # Takes most of a second to import, and every model with a surrogate would.
    from scipy.stats import kendalltau

    return float(kendalltau(one, other).statistic)
