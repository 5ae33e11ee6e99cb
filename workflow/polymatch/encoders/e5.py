"""E5-Mistral and the smaller E5: captions only, through transformers.

Sources: Wang et al., "Improving Text Embeddings with Large Language Models", ACL 2024 (E5-Mistral);
Wang et al., "Text Embeddings by Weakly-Supervised Contrastive Pre-training", 2022 (E5).

E5-Mistral reads ``Instruct: {task}\\nQuery: {text}`` between a begin and an end and is its last
token's hidden state; the others read ``query: {text}`` and are the mean of theirs. Retrieval of
captions by captions is symmetric, so every caption is a query; the task is the one that the model
was trained with for texts of one meaning.

Deviations from the published projection heads' encoding of COCO, which is wrong in all three for
this model: it writes ``passage: `` before a caption, a prefix of the smaller E5 that E5-Mistral
never saw; it averages the hidden states of a causal network, of which only the last has seen the
whole text; and it leaves the end out if the tokeniser's file does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from polymatch.encoders.base import EncoderInfo, Features, LoadOptions
from polymatch.encoders.networks.by_length import by_length
from polymatch.encoders.networks.caption_tokens import CaptionTokens
from polymatch.encoders.networks.checkpoint import Checkpoint, Pinned, find_checkpoint
from polymatch.encoders.networks.precision import computing_dtype
from polymatch.encoders.networks.pretrained import (
    check_kind,
    load_network,
    load_tokenizer,
    model_kind,
)
from polymatch.encoders.networks.word_pieces import mean_of_pieces

DEFAULT = "intfloat/e5-mistral-7b-instruct"
PINNED = {DEFAULT: Pinned("07163b72af1488142a360786df853f237b1a3ca1", "14.2 GB", "MIT")}
TASK = "Retrieve semantically similar text."
MAX_TOKENS = 512  # E5's own; E5-Mistral would take 4,096, which no caption has
BIDIRECTIONAL = ("bert", "xlm-roberta")
INFO = EncoderInfo(
    name="e5",
    item_features={},
    caption_width=None,
    joint_space=False,
    preprocessing=f"prefix of a query, at most {MAX_TOKENS} tokens, length 1",
    licence="MIT (E5 and E5-Mistral weights)",
    citation="Wang et al., E5, 2022; Wang et al., E5-Mistral, ACL 2024",
    revision=f"{DEFAULT}@{PINNED[DEFAULT].revision}",
    sha256={},
    environment="transformers",
    url="https://github.com/microsoft/unilm",
)


class E5:
    """See :class:`polymatch.encoders.base.CaptionEncoder`."""

    def __init__(
        self, checkpoint: Checkpoint, kind: str, device: torch.device, options: LoadOptions
    ) -> None:
        folder = checkpoint.folder
        dtype = computing_dtype(options.precision, device)
        self._device = device
        self._causal = kind not in BIDIRECTIONAL
        # a network that reads both ways has a pooling layer of which nothing is used
        unused = {} if self._causal else {"add_pooling_layer": False}
        self._tokenizer = load_tokenizer(folder)
        self._network = load_network(folder, dtype, device, **unused)
        config = self._network.config
        # XLM-RoBERTa counts its positions from the padding's number on
        offset = config.pad_token_id + 1 if kind == "xlm-roberta" else 0
        longest = min(MAX_TOKENS, config.max_position_embeddings - offset)
        self._tokens = CaptionTokens(self._tokenizer, longest, where=str(folder))
        instructed = self._causal or "instruct" in Path(checkpoint.name).name.lower()
        self._prefix = f"Instruct: {TASK}\nQuery: " if instructed else "query: "
        pooling = "last token" if self._causal else "mean of the tokens"
        self.info = replace(
            INFO,
            caption_width=int(config.hidden_size),
            preprocessing=f"{self._prefix!r}, at most {longest} tokens, {pooling}, length 1",
            licence=checkpoint.licence,
            revision=checkpoint.revision,
            sha256=checkpoint.sha256,
        )
        kind_of_number = str(dtype).removeprefix("torch.")
        print(
            f"{INFO.name}: {self.info.revision}; licence: {self.info.licence}; {kind_of_number} on "
            f"{device.type}"
        )

    def encode_captions(self, texts: Sequence[str]) -> Features:
        """Embeddings of texts, of length 1: [len(texts), caption_width]."""
        options = {"use_cache": False} if self._causal else {}

        def encode(ids: Tensor) -> Tensor:
            hidden = self._network(input_ids=ids, **options).last_hidden_state
            pooled = hidden[:, -1].float() if self._causal else hidden.float().mean(dim=1)
            return F.normalize(pooled, dim=-1)

        tokens = self._tokens([self._prefix + text for text in texts])
        return by_length(tokens, encode, self.info.caption_width or 0, self._device)

    def count_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a text with its prefix, and how many of them are read."""
        return self._tokens.count(self._prefix + text)

    def encode_words(self, words: Sequence[str]) -> Features:
        """Mean input embedding of each word's pieces; NaN for signs the tokeniser lacks."""
        table = self._network.get_input_embeddings().weight
        return mean_of_pieces(self._tokenizer, table, words)


def load(device: torch.device, options: LoadOptions) -> E5:
    """Load the network and its tokeniser.

    Raises:
        ConfigError: the model is no E5, or has no revision.
        DataError: its files are not there, or not whole.
    """
    checkpoint = find_checkpoint(INFO.name, options, DEFAULT, PINNED)
    kind = model_kind(checkpoint.folder)
    check_kind(INFO.name, checkpoint.folder, kind, ("mistral", *BIDIRECTIONAL))
    return E5(checkpoint, kind, device, options)
