"""SmoothAP: average precision with sigmoids in place of steps, as a loss.

Brown et al., "Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval", ECCV 2020,
equations 5 to 8: of a query's positives i, the mean of (1 + sum over its other positives of
sigmoid((s_j - s_i) / tau)) / (1 + the same sum over all other candidates). Positives come from a
mask, so several captions of an item and several items of a text count.

Deviation from the code published with DAA (``Loss.SmoothAP``, switched off there): it takes the
pairs of the diagonal for the only positives, so that its average precision is one over the rank and
other captions of an item are errors. Where each query has one positive both are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polymatch.errors import NumericsError


def smooth_ap_loss(similarity: Tensor, positives: Tensor, temperature: float = 1e-3) -> Tensor:
    """1 - SmoothAP, of items as queries plus of captions as queries: a scalar from 0 to 2.

    Args:
        similarity: [N, M], items × captions.
        positives: [N, M], true where they match; a query without any is left out.
        temperature: tau; differences well above it count as a whole rank.

    Raises:
        NumericsError: the mask has another shape.

    >>> similarity = torch.tensor([[0.9, 0.8], [0.1, 0.7]])
    >>> round(float(smooth_ap_loss(similarity, torch.eye(2) > 0)), 4)  # caption 2 is second: 1/2
    0.25
    """
    if similarity.shape != positives.shape:
        raise NumericsError(
            f"SmoothAP needs a mask of the similarity's shape {list(similarity.shape)}, not "
            f"{list(positives.shape)}"
        )
    similarity = similarity if similarity.dtype == torch.float64 else similarity.float()
    of_items = _one_direction(similarity, positives, temperature)
    return of_items + _one_direction(similarity.T, positives.T, temperature)


def _one_direction(similarity: Tensor, positives: Tensor, temperature: float) -> Tensor:
    # Ranks of positives only: P rows of M, where all pairs would be N rows of M x M.
    queries, own = positives.nonzero(as_tuple=True)
    scores = similarity[queries]
    above = ((scores - similarity[queries, own][:, None]) / temperature).sigmoid()
    above = above.scatter(1, own[:, None], 0)
    precision = (1 + (above * positives[queries]).sum(1)) / (1 + above.sum(1))
    counts = positives.sum(1)
    asked = (counts > 0).sum()
    return 1 - (precision / counts[queries]).sum() / asked
