"""Vectors of single words, from the input embeddings of a network that reads pieces of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@torch.inference_mode()
def mean_of_pieces(tokenizer: Any, table: Tensor, words: Sequence[str]) -> NDArray[np.float32]:
    """Mean of the input embeddings of each word's pieces, without what stands around a text.

    Args:
        table: input embeddings [vocabulary, D].

    Returns:
        [len(words), D]; a row of NaN for a word with a sign that the tokeniser lacks.
    """
    found = np.full((len(words), table.shape[1]), np.nan, dtype=np.float32)
    for row, word in enumerate(words):
        pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
        if pieces and tokenizer.unk_token_id not in pieces:
            found[row] = table[pieces].float().mean(dim=0).cpu().numpy()
    return found
