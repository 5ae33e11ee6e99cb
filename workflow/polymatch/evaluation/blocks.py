"""Queries of one direction in blocks that stay in the cache, shared by threads.

NumPy's sorts and its arithmetic on whole arrays release the interpreter, so that threads work side
by side; what one holds is bounded by the size of its block.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import numpy as np

from polymatch.errors import NumericsError
from polymatch.evaluation.counting import Similarity, comparable

_BLOCK_ELEMENTS = 250_000
_HELD_BYTES = 30_000_000  # below the 32 MB from which glibc always asks the system


def map_queries(
    function: Callable[[int, int], np.ndarray], n_queries: int, n_candidates: int, threads: int
) -> np.ndarray:
    """Put together what ``function(first, last)`` gives for blocks of queries, along its last axis.

    ``n_candidates`` is the length of a query's row, which decides how many make a block.
    """
    height = max(1, min(_BLOCK_ELEMENTS // n_candidates, -(-n_queries // max(threads, 1))))
    starts = range(0, n_queries, height)
    # A block's arrays would go back to the system and come again page by page, a third of the time.
    # When one as large as this is freed, untouched, glibc keeps what is freed from then on.
    np.empty(_HELD_BYTES, np.uint8)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        parts = pool.map(lambda first: function(first, min(first + height, n_queries)), starts)
        return np.concatenate(list(parts), axis=-1)


def query_rows(
    matrix: Similarity, first: int, last: int, *, of_items: bool, name: str = "similarity"
) -> np.ndarray:
    """Rows (``of_items``) or columns first..last of ``matrix`` [N, M], one contiguous row a query.

    Raises:
        NumericsError: one of them is NaN or infinite; says where.
    """
    block = comparable(matrix[first:last] if of_items else matrix[:, first:last].T)
    block = np.ascontiguousarray(block)
    with np.errstate(invalid="ignore", over="ignore"):
        suspect = not np.isfinite(block.sum())  # finite ones may overflow: then look closely
    if suspect and not np.isfinite(block).all():
        query, candidate = np.argwhere(~np.isfinite(block))[0].tolist()
        place = (first + query, candidate) if of_items else (candidate, first + query)
        refuse_number(name, *place)
    return block


def refuse_number(name: str, item: int, caption: int) -> NoReturn:
    """Raise NumericsError for what is no number at (item, caption) of the matrix ``name``."""
    raise NumericsError(
        f"{name} holds a NaN or infinite value at item {item}, caption {caption} "
        "(counted from 0); look for a division by zero or an overflow where it was made"
    )
