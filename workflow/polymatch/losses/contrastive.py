"""Contrastive losses on a matrix of logits and a matrix of positives; they know nothing else."""

from __future__ import annotations

from torch import Tensor


def symmetric_cross_entropy(logits: Tensor, positives: Tensor) -> Tensor:
    """Cross-entropy over the rows plus over the columns (InfoNCE in both directions).

    A row with several positives takes the mean of their log-probabilities (Khosla et al.,
    "Supervised Contrastive Learning", 2020, equation 2); with one it is the usual form.

    Args:
        logits: [..., N, M] similarities divided by the temperature.
        positives: [N, M], true where row and column match; every row and column has one.

    Returns:
        The loss, averaged over leading dimensions: a scalar.

    >>> import torch
    >>> round(float(symmetric_cross_entropy(torch.zeros(4, 4), torch.eye(4) > 0)), 4)  # 2 log 4
    2.7726
    """
    weights = positives.to(logits.dtype)
    by_row = weights / weights.sum(-1, keepdim=True)
    by_column = weights / weights.sum(-2, keepdim=True)
    rows = (logits.log_softmax(-1) * by_row).sum((-1, -2)) / logits.shape[-2]
    columns = (logits.log_softmax(-2) * by_column).sum((-1, -2)) / logits.shape[-1]
    return -(rows + columns).mean()
