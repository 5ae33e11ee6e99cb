"""Contrastive losses on a matrix of logits and a matrix of positives; they know nothing else."""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(
    logits: Tensor,
    positives: Tensor,
    dim: int = -1,
    smoothing: float = 0.0,
    negatives: Tensor | None = None,
) -> Tensor:
    """Cross-entropy along one axis (InfoNCE), averaged over the queries on the other.

    A query with several positives takes the mean of their log-probabilities (Khosla et al.,
    "Supervised Contrastive Learning", 2020, equation 2); with one it is the usual form.

    Args:
        logits: [..., N, M] similarities divided by the temperature.
        positives: [N, M], true where row and column match; every query has one.
        dim: the axis of the candidates: -1, rows are the queries, or -2, columns are.
        smoothing: share of the target that the candidates get alike (Szegedy et al., "Rethinking
            the Inception Architecture", 2016, section 7).
        negatives: logits of further candidates, [..., N, Q] or [..., Q, M], -inf for none.

    Returns:
        The loss, averaged over leading dimensions: a scalar.
    """
    weights = positives.to(logits.dtype)
    weights = weights / weights.sum(dim, keepdim=True)
    if smoothing:
        weights = (1 - smoothing) * weights + smoothing / logits.shape[dim]
    if negatives is None:
        log_probabilities = logits.log_softmax(dim)
    else:
        everyone = torch.cat([logits, negatives], dim)
        log_probabilities = logits - everyone.logsumexp(dim, keepdim=True)
    queries = logits.shape[-2] if dim == -1 else logits.shape[-1]
    return -((log_probabilities * weights).sum((-1, -2)) / queries).mean()


def symmetric_cross_entropy(logits: Tensor, positives: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy over the rows plus over the columns: both directions.

    Arguments are those of :func:`cross_entropy`.

    >>> import torch
    >>> round(float(symmetric_cross_entropy(torch.zeros(4, 4), torch.eye(4) > 0)), 4)  # 2 log 4
    2.7726
    """
    rows = cross_entropy(logits, positives, -1, smoothing)
    return rows + cross_entropy(logits, positives, -2, smoothing)
