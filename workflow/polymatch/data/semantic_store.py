"""Semantic similarity of a split's items and texts on disk, so that it is computed once.

One NumPy archive with the parts of a sparse matrix, the item ids of its rows and the texts of its
columns. Texts are compared as queries are (:func:`polymatch.data.captions.normal_text`), so that a
caption finds its column whichever of several equal ones stands for the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from polymatch.data.captions import normal_text
from polymatch.errors import DataError
from polymatch.files import written_atomically

_PARTS = ("values", "columns", "starts", "item_ids", "texts")


def write_semantics(
    path: Path | str, matrix: Any, item_ids: Sequence[str], texts: Sequence[str]
) -> None:
    """Write a scipy CSR ``matrix`` [N, M] of these items and texts."""
    parts = (
        matrix.data,
        matrix.indices,
        matrix.indptr,
        np.array(item_ids, dtype=str),
        np.array([normal_text(text) for text in texts], dtype=str),
    )
    with written_atomically(path) as partial:
        np.savez_compressed(partial, **dict(zip(_PARTS, parts, strict=True)))


def read_semantics(path: Path | str, item_ids: Sequence[str], texts: Sequence[str]) -> Any:
    """The scipy CSR matrix of these items and texts, in their order.

    Raises:
        DataError: the file is missing or damaged, or lacks one of them.
    """
    from scipy.sparse import csr_array  # only where semantic similarity is asked for

    try:
        with np.load(path, allow_pickle=False) as stored:
            values, columns, starts, own_items, own_texts = (stored[name] for name in _PARTS)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); run its stage again") from error
    matrix = csr_array((values, columns, starts), shape=(len(own_items), len(own_texts)))
    rows = _places(own_items, item_ids, "item", path)
    wanted = _places(own_texts, [normal_text(text) for text in texts], "text", path)
    if np.array_equal(rows, np.arange(len(own_items))) and np.array_equal(
        wanted, np.arange(len(own_texts))
    ):
        return matrix
    return matrix[rows][:, wanted]


def _places(own: np.ndarray, wanted: Sequence[str], kind: str, path: Path | str) -> np.ndarray:
    place = {name: row for row, name in enumerate(own.tolist())}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DataError(
            f"{path}: lacks {len(missing)} {kind}(s), the first is {missing[0]!r}; run its stage "
            "again"
        )
    return np.array([place[name] for name in wanted], np.intp)
