"""Texts through a network, only those with equally many tokens together.

There is then no padding, so nothing is wasted on it, no mask is needed, and no result depends on
the other texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polymatch.encoders.networks.side_by_side import side_by_side

_TOKENS_AT_ONCE = 64 * 256


def by_length(
    tokens: Sequence[Sequence[int]],
    encode: Callable[[Tensor], Tensor],
    width: int,
    device: torch.device,
    texts_at_once: int = 64,
) -> NDArray[np.float32]:
    """Features of texts, in their order: [len(tokens), width].

    Args:
        tokens: of each text, none of them padding.
        encode: gives features [n, width] of tokens [n, L]; texts of one length share a call.
        texts_at_once: most texts in a call; long ones are fewer, so that memory stays bounded.
    """
    features = np.empty((len(tokens), width), dtype=np.float32)

    @torch.inference_mode()
    def of(batch: NDArray[np.intp]) -> NDArray[np.float32]:
        # A product with one row may round unlike one with several: a text is never alone.
        rows = batch if len(batch) > 1 else batch.repeat(2)
        ids = torch.tensor([tokens[i] for i in rows], device=device)
        return encode(ids).float().cpu().numpy()[: len(batch)]

    lengths = np.array([len(one) for one in tokens], dtype=np.intp)
    batches = []
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        step = max(1, min(texts_at_once, _TOKENS_AT_ONCE // max(1, int(length))))
        batches += [same[start : start + step] for start in range(0, len(same), step)]
    for batch, block in zip(batches, side_by_side(of, batches, device), strict=True):
        features[batch] = block
    return features
