"""What a loss is given: features of some items and captions, and which of them belong together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from polymatch.data.semantics import Semantics


class Matches:
    """Which texts are right answers for which items, over a whole training set.

    An item's captions are its texts, and so is any other caption that reads the same: captions of
    one item, and of one text, are positives of each other's items.

    Args:
        item_rows: [M] int64, the item row of every caption. texts: [M] int64, the number of its
            distinct text.
    """

    def __init__(self, item_rows: Tensor, texts: Tensor) -> None:
        self._items = int(item_rows.max()) + 1 if len(item_rows) else 0
        keys = (texts * self._items + item_rows).unique()
        named = keys // max(1, self._items)
        counts = torch.bincount(named, minlength=int(texts.max()) + 1 if len(texts) else 0)
        # Nearly all texts name one item, which comparing rows settles; only the others are looked
        # up, or a batch of 4,096 would search among all captions of COCO 16 million times.
        self._shared = counts > 1
        self._one = torch.zeros_like(counts)
        self._one[texts] = item_rows
        self._keys = keys[self._shared[named]]

    def between(self, item_rows: Tensor, texts: Tensor) -> Tensor:
        """True where the text is one of the item's: [N, M] for N item rows and M texts.

        >>> matches = Matches(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
        >>> matches.between(torch.tensor([0, 1]), torch.tensor([0, 1])).tolist()
        [[True, True], [False, True]]
        """
        found = item_rows[:, None] == self._one[texts]
        if len(self._keys):
            shared = self._shared[texts]
            keys = texts[shared] * self._items + item_rows[:, None]
            found[:, shared] = torch.isin(keys, self._keys)
        return found


class Batch(NamedTuple):
    """Features of B items and B captions, a pair a row; an item may stand in several rows.

    Attributes:
        items: [B, D], [B, R, F] or [B, L, F] item features; frames are filled up with NaN.
        captions: [B, D'] features or [B, L] words. Of several processes each has the features of
            its own rows (:func:`polymatch.distributed.share_of`) alone, and everything else.
        positives: [B, B], items × captions, true where they match.
        item_rows: [B] rows of the items in the training set. texts: [B] numbers of the texts.
        matches: the same for rows and texts that are not in this batch.
        semantics: how near texts are to items in meaning; worked out when it is asked.
        concepts: [B, C] how much each tag is the item's, from 0 to 1; a row of zeros is an item
            without tags. None where no tags are given.
    """

    items: Tensor
    captions: Tensor
    positives: Tensor
    item_rows: Tensor
    texts: Tensor
    matches: Matches
    semantics: Semantics
    concepts: Tensor | None = None

    @property
    def shared(self) -> bool:
        """Whether there are features of some of the rows only: others have those of the others."""
        return len(self.captions) < len(self.item_rows)
