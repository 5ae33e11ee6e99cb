"""Similarity matrices in files that somebody else wrote: opened, checked, averaged, put in order.

Decisions: pickled arrays are never loaded; a file is mapped into memory for one block of rows at a
time, so that what is held is the result and one block, whatever the files' number and size; the
mean is taken in float64 and kept in the widest float type of the files, float32 at least, since
rounding would make ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError, NumericsError

_BLOCK_BYTES = 1 << 26
_HELD = ("float16", "float32", "float64")


class Ids(NamedTuple):
    """Ids of rows or columns, and the file (or what else) that they are from."""

    source: str
    ids: list[str]


def read_ids(path: Path | str) -> Ids:
    """The ids in a text file, one a line; blank lines at the end do not count.

    Raises:
        DataError: the file is missing or not UTF-8 text, or a line within it is empty.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it is to hold one id a line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text file of ids, one a line ({error})") from error
    ids = [line.strip() for line in lines]
    if not all(ids):
        raise DataError(f"{path}: line {ids.index('') + 1} is empty; write one id a line")
    if not ids:
        raise DataError(f"{path}: holds no id; write one a line")
    return Ids(str(path), ids)


def matrix_shape(paths: Sequence[Path | str]) -> tuple[int, int]:
    """(rows, columns) that the matrices of all these files have.

    Raises:
        DataError: a file is missing, is no ``.npy`` of a matrix of floats, or differs in shape.
    """
    first = _open(paths[0])
    for path in paths[1:]:
        other = _open(path)
        if other.shape != first.shape:
            raise DataError(
                f"{path}: has shape {other.shape}, but {paths[0]} has {first.shape}; only matrices "
                "of the same items and captions can be averaged"
            )
    return first.shape[0], first.shape[1]


def mean_matrix(
    paths: Sequence[Path | str],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    row_names: Sequence[str],
    column_names: Sequence[str],
) -> np.ndarray:
    """Mean of the matrices in these files, rows and columns picked in the order given.

    Args:
        paths: files of one shape [N, M], see :func:`matrix_shape`.
        rows: [n] positions in the files.
        columns: [m] positions in the files.
        row_names: [N] ids for messages.
        column_names: [M] ids for messages.

    Returns:
        [n, m], float32, or float64 where a file has that.

    Raises:
        NumericsError: one of these rows holds a NaN or an infinity, in whatever column.
    """
    dtype = np.result_type(np.float32, *(_open(path).dtype for path in paths))
    mean = np.empty((len(rows), len(columns)), dtype)
    step = max(1, _BLOCK_BYTES // (8 * max(1, len(column_names))))
    in_order = np.array_equal(columns, np.arange(len(column_names)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        total = np.zeros((len(part), len(columns)))
        for path in paths:
            # Mapped anew each time: a mapping that stays keeps in memory all that was read of it.
            block = np.asarray(_open(path)[part])
            _refuse_non_finite(block, path, part, row_names, column_names)
            total += block if in_order else block[:, columns]
        mean[start : start + step] = total / len(paths)
    return mean


def _open(path: Path | str) -> np.memmap:
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: no such file; it is to hold a similarity matrix, items x captions"
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: not a whole .npy file of numbers ({error}); write it by "
            "np.save(file, matrix) from an array of floats"
        ) from error
    if matrix.ndim != 2:
        raise DataError(
            f"{path}: has shape {matrix.shape}; a similarity matrix is items x captions"
        )
    if matrix.dtype.name not in _HELD:
        raise DataError(f"{path}: holds {matrix.dtype}; save it as one of {', '.join(_HELD)}")
    return matrix


def _refuse_non_finite(
    block: np.ndarray,
    path: Path | str,
    part: NDArray[np.int64],
    row_names: Sequence[str],
    column_names: Sequence[str],
) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise NumericsError(
            f"{path}: holds {block[row, column]} at row {part[row]}, column {column} (counted from "
            f"0): item {row_names[part[row]]!r}, caption {column_names[column]!r}; similarities "
            "are finite numbers"
        )
