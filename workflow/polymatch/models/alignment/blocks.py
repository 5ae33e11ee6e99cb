"""How pairs are cut into blocks: captions of one length, a few items, little enough for a cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple


class Block(NamedTuple):
    """Captions of one length, and how many items are taken at once.

    ``captions`` are positions in the order of their lengths, ``items`` is the number of items.
    """

    captions: slice
    length: int
    items: int


def blocks(lengths: Sequence[int], n: int, width: int, numbers: int) -> Iterator[Block]:
    """Cut n items x captions into blocks of about ``numbers`` numbers, ``width`` for a word.

    Args:
        lengths: words of each caption, in ascending order.

    >>> [tuple(block) for block in blocks([2, 2, 2, 5], n=9, width=10, numbers=120)]
    [(slice(0, 2, None), 2, 3), (slice(2, 3, None), 2, 6), (slice(3, 4, None), 5, 2)]
    """
    start = 0
    for length, run in groupby(lengths):
        stop = start + len(list(run))
        pairs = max(1, numbers // (length * width))
        # As many items as captions: both are read once for every block.
        most = max(1, math.isqrt(pairs), pairs // n)
        while start < stop:
            captions = min(most, stop - start)
            yield Block(slice(start, start + captions), length, max(1, min(n, pairs // captions)))
            start += captions
