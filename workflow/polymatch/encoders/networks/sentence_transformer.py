"""A sentence encoder: a transformer whose last hidden states are averaged over the true tokens.

Source: Reimers & Gurevych, "Sentence-BERT", EMNLP 2019. One decision: only texts with equally many
tokens share a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polymatch.encoders.networks.by_length import by_length
from polymatch.encoders.networks.quiet import quiet
from polymatch.encoders.networks.word_pieces import mean_of_pieces


class SentenceTransformer:
    """Load a transformer and its tokeniser from a folder; never asks a hub for anything.

    Args:
        folder: with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
        device: where the transformer runs.
        max_tokens: longer texts are cut, special tokens included.
    """

    def __init__(self, folder: Path, device: torch.device, max_tokens: int) -> None:
        # imported here, since it takes seconds and most uses of this room do not need it
        from transformers import AutoModel, AutoTokenizer

        with quiet():
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(
                folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
            )
        self._model.eval().requires_grad_(False).to(device)
        self._device = device
        self._max_tokens = max_tokens
        self.width = int(self._model.config.hidden_size)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, in their order: [len(texts), width]."""
        if not len(texts):
            return np.empty((0, self.width), dtype=np.float32)
        encoded = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens)

        def encode(ids: Tensor) -> Tensor:
            hidden: Tensor = self._model(input_ids=ids).last_hidden_state
            return hidden.mean(dim=1)

        return by_length(encoded["input_ids"], encode, self.width, self._device)

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text, special ones included, and how many of them are read."""
        with quiet():  # it warns of what is asked for here
            return len(self._tokenizer(text)["input_ids"]), self._max_tokens

    def word_embeddings(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Mean input embedding of each word's pieces: [len(words), width]; NaN if it has none."""
        table = self._model.get_input_embeddings().weight
        return mean_of_pieces(self._tokenizer, table, words)
