"""Captions as numbers of tokens, with a begin and an end; what is cut off is counted and said.

The begin and end are put around the pieces here and not by the tokeniser, whose own habit depends
on the version of transformers and on a line of its file that converted checkpoints often lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from polymatch.encoders.networks.quiet import quiet
from polymatch.errors import DataError


class CaptionTokens:
    """Texts through a tokeniser of transformers.

    Args:
        tokenizer: gives the pieces of a text.
        max_tokens: of a text, its begin and end included; longer ones are cut before their end.
        begins: whether a text starts with the tokeniser's begin.
        lower: whether a text is written in small letters first.
        padded: whether every text is filled up to ``max_tokens``, as its network was trained.
        where: of the tokeniser, for messages.

    Raises:
        DataError: the tokeniser names no begin, end or padding that is asked for.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_tokens: int,
        *,
        begins: bool = True,
        lower: bool = False,
        padded: bool = False,
        where: str = "tokeniser",
    ) -> None:
        self._tokenizer = tokenizer
        self._lower = lower
        self._padding = tokenizer.pad_token_id if padded else None
        # BERT's begin and end have names of their own
        classic = tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None
        begin = tokenizer.cls_token_id if classic else tokenizer.bos_token_id
        end = tokenizer.sep_token_id if classic else tokenizer.eos_token_id
        if end is None or (begins and begin is None) or (padded and self._padding is None):
            raise DataError(f"{where}: the tokeniser names no begin, end or padding of a text")
        self._begin = [begin] if begins else []
        self._end = [end]
        self.max_tokens = max_tokens

    def count(self, text: str) -> tuple[int, int]:
        """Tokens of a text, begin and end included, and how many of them are read."""
        with quiet():
            given = text.lower() if self._lower else text
            pieces = self._tokenizer([given], add_special_tokens=False)["input_ids"][0]
        return len(self._begin) + len(pieces) + len(self._end), self.max_tokens

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text; says on the terminal how many were too long."""
        if not texts:
            return []
        given = [text.lower() for text in texts] if self._lower else list(texts)
        with quiet():
            pieces = self._tokenizer(given, add_special_tokens=False)["input_ids"]
        room = self.max_tokens - len(self._begin) - len(self._end)
        cut = sum(len(one) > room for one in pieces)
        if cut:
            tqdm.write(
                f"{cut} of {len(texts)} captions have more than {self.max_tokens} tokens; the "
                "network does not see the end of them"
            )
        tokens = [[*self._begin, *one[:room], *self._end] for one in pieces]
        if self._padding is None:
            return tokens
        return [one + [self._padding] * (self.max_tokens - len(one)) for one in tokens]
