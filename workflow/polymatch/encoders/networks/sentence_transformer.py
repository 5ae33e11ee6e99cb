"""A sentence encoder: a transformer whose last hidden states are averaged over the true tokens.

Source: Reimers & Gurevych, "Sentence-BERT", EMNLP 2019. One decision: only texts with equally many
tokens share a batch. There is then no padding, so nothing is wasted and no result depends on the
other texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polymatch.encoders.networks.side_by_side import side_by_side


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

        with _quiet():
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(
                folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
            )
        self._model.eval().requires_grad_(False).to(device)
        self._device = device
        self._max_tokens = max_tokens
        self.width = int(self._model.config.hidden_size)

    def __call__(self, texts: Sequence[str], batch_size: int = 64) -> NDArray[np.float32]:
        """Features of texts, in their order: [len(texts), width]."""
        features = np.empty((len(texts), self.width), dtype=np.float32)
        if not len(texts):
            return features
        encoded = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens)
        tokens: list[list[int]] = encoded["input_ids"]

        @torch.inference_mode()
        def encode(batch: NDArray[np.intp]) -> NDArray[np.float32]:
            ids = torch.tensor([tokens[i] for i in batch], device=self._device)
            hidden = self._model(input_ids=ids).last_hidden_state
            return hidden.mean(dim=1).cpu().numpy()

        lengths = np.array([len(one) for one in tokens])
        batches = [
            same[start : start + batch_size]
            for same in (np.flatnonzero(lengths == length) for length in np.unique(lengths))
            for start in range(0, len(same), batch_size)
        ]
        for batch, block in zip(batches, side_by_side(encode, batches, self._device), strict=True):
            features[batch] = block
        return features

    @torch.inference_mode()
    def word_embeddings(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Mean of the input embeddings of each word's pieces, without what stands around a text.

        Returns:
            [len(words), width]; a row of NaN for a word with a sign that the tokeniser lacks.
        """
        table = self._model.get_input_embeddings().weight.cpu()
        found = np.full((len(words), self.width), np.nan, dtype=np.float32)
        for row, word in enumerate(words):
            pieces = self._tokenizer(word, add_special_tokens=False)["input_ids"]
            if pieces and self._tokenizer.unk_token_id not in pieces:
                found[row] = table[pieces].mean(dim=0).numpy()
        return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar and its report on the pooling layer, which is not used."""
    logging: Any = import_module("transformers.utils.logging")
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
