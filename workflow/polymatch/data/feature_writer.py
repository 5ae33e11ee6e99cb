"""Feature and embedding stores, written: block by block, and checked as they are written.

What a store holds is said in :mod:`polymatch.data.features`, which reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from polymatch.errors import DataError
from polymatch.files import written_atomically

PROVENANCE = ("encoder", "revision", "preprocessing", "dataset", "command")
"""Attributes that whoever writes a store must give; ``dtype`` is added by the writer."""


class FeatureWriter:
    """Write a store block by block; it appears under its name when the ``with`` block ends well.

    Args:
        path: the final name.
        dim: width of a feature, or its shape ((36, 1280) for regions, () for words).
        attributes: at least :data:`PROVENANCE`.
        ragged: an item has several rows; :meth:`append` then needs their ``lengths``.
        dtype: ``float32`` or ``float16`` on disk; ``int32`` for words.

    Raises:
        DataError: attributes are missing; from :meth:`append`: an id occurs twice, a feature is
            NaN or infinite, or a block has the wrong shape.
    """

    def __init__(
        self,
        path: Path | str,
        dim: int | tuple[int, ...],
        attributes: Mapping[str, str | int | float],
        ragged: bool = False,
        dtype: str = "float32",
    ) -> None:
        self.path = Path(path)
        self._shape = (dim,) if isinstance(dim, int) else tuple(dim)
        self._attributes = {**attributes, "dtype": dtype}
        self._ragged = ragged
        self._dtype = np.dtype(dtype)
        self._seen: set[str] = set()
        self._rows = 0
        absent = [name for name in PROVENANCE if name not in attributes]
        if absent:
            raise DataError(f"{self.path}: a store needs the attributes {', '.join(absent)}")
        if dtype not in ("float32", "float16", "int32"):
            raise DataError(f"{self.path}: dtype {dtype!r} is not float32, float16 or int32")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            partial = stack.enter_context(written_atomically(self.path))
            self._file = stack.enter_context(h5py.File(partial, "w"))
            self._file.attrs.update(self._attributes)
            row_bytes = int(np.prod(self._shape)) * self._dtype.itemsize
            chunk = (max(1, _CHUNK_BYTES // max(1, row_bytes)), *self._shape)
            self._features = self._file.create_dataset(
                "features",
                (0, *self._shape),
                self._dtype,
                chunks=chunk,
                maxshape=(None, *self._shape),
            )
            self._ids = self._file.create_dataset(
                "ids", (0,), h5py.string_dtype("utf-8"), chunks=(4096,), maxshape=(None,)
            )
            if self._ragged:
                self._offsets = self._file.create_dataset(
                    "offsets", (1,), np.int64, chunks=(4096,), maxshape=(None,)
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __len__(self) -> int:
        """Items that were appended so far."""
        return len(self._seen)

    def append(
        self, ids: Sequence[str], block: ArrayLike, lengths: Sequence[int] | None = None
    ) -> None:
        """Add items: ``block`` is [len(ids), ...], or [sum(lengths), ...] in a ragged store."""
        ids = list(ids)
        array = np.asarray(block)
        rows = self._lengths(ids, lengths)
        if array.shape != (int(rows.sum()), *self._shape):
            raise DataError(
                f"{self.path}: block from id {_first(ids)} on has shape {array.shape}, "
                f"not {(int(rows.sum()), *self._shape)}"
            )
        self._refuse_repeated(ids)
        with np.errstate(over="ignore"):
            array = array.astype(self._dtype, copy=False)
        self._refuse_nonfinite(ids, array, rows)
        first = len(self._seen) - len(ids)
        self._ids.resize(len(self._seen), axis=0)
        self._ids[first:] = ids
        if self._ragged:
            self._offsets.resize(len(self._seen) + 1, axis=0)
            self._offsets[first + 1 :] = self._rows + np.cumsum(rows)
        self._write(array)

    def describe(self, **attributes: str | int | float) -> None:
        """Add attributes that are known only when the items are."""
        self._file.attrs.update(attributes)

    def extend(self, block: ArrayLike) -> None:
        """Give the item that was appended last further rows [n, ...], in a ragged store.

        So an item may have more rows than memory holds.
        """
        array = np.asarray(block)
        if not self._ragged or not self._seen or array.shape[1:] != self._shape:
            raise DataError(
                f"{self.path}: rows of shape {array.shape[1:]} cannot follow; in a ragged store "
                f"rows of shape {self._shape} can, after an item"
            )
        with np.errstate(over="ignore"):
            array = array.astype(self._dtype, copy=False)
        last = str(self._ids.asstr()[-1])
        self._refuse_nonfinite([last], array, np.array([len(array)]))
        self._offsets[-1] += len(array)
        self._write(array)

    def _write(self, array: NDArray[Any]) -> None:
        self._features.resize(self._rows + len(array), axis=0)
        self._features[self._rows :] = array
        self._rows += len(array)

    def _lengths(self, ids: list[str], lengths: Sequence[int] | None) -> NDArray[np.int64]:
        if (lengths is not None) != self._ragged:
            wanted = "needs lengths" if self._ragged else "takes no lengths"
            raise DataError(f"{self.path}: a store with ragged={self._ragged} {wanted}")
        rows = np.asarray([1] * len(ids) if lengths is None else lengths, dtype=np.int64)
        if rows.shape != (len(ids),):
            raise DataError(f"{self.path}: {len(ids)} ids but {rows.size} lengths")
        if (rows < 1).any():
            raise DataError(f"{self.path}: id {ids[int(np.argmin(rows))]!r} has no rows")
        return rows

    def _refuse_repeated(self, ids: list[str]) -> None:
        for item_id in ids:
            if item_id in self._seen:
                raise DataError(f"{self.path}: id {item_id!r} occurs twice; ids must be unique")
            self._seen.add(item_id)

    def _refuse_nonfinite(
        self, ids: list[str], array: NDArray[Any], rows: NDArray[np.int64]
    ) -> None:
        wrong = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if wrong.any():
            owner = np.repeat(np.arange(len(ids)), rows)[wrong]
            raise DataError(
                f"{self.path}: features of {np.unique(owner).size} id(s) hold NaN or infinity, "
                f"the first is {ids[int(owner[0])]!r}; look at its file"
            )


def write_features(
    path: Path | str,
    ids: Sequence[str],
    features: ArrayLike,
    *,
    offsets: ArrayLike | None = None,
    attributes: Mapping[str, str | int | float],
    dtype: str = "float32",
) -> None:
    """Write a whole store; ``features`` may be a memory map of any size, it is copied in blocks.

    Args:
        ids: one per item.
        features: [n, D] or [n, R, F]; with ``offsets`` [rows, D].
        offsets: [n + 1], rising from 0 to the number of rows.

    Raises:
        DataError: see :class:`FeatureWriter`; also offsets that do not fit ids and features.
    """
    array: NDArray[Any] = features if isinstance(features, np.ndarray) else np.asarray(features)
    bounds = np.arange(len(ids) + 1) if offsets is None else np.asarray(offsets, dtype=np.int64)
    if bounds.shape != (len(ids) + 1,) or bounds[0] != 0 or bounds[-1] != len(array):
        raise DataError(
            f"{path}: {len(ids)} ids do not fit an array of shape {array.shape}"
            + ("" if offsets is None else f" with {bounds.size} offsets")
        )
    row_bytes = max(1, int(np.prod(array.shape[1:])) * max(4, array.dtype.itemsize))
    with FeatureWriter(path, array.shape[1:], attributes, offsets is not None, dtype) as writer:
        start = 0
        while start < len(ids):
            last = int(np.searchsorted(bounds, bounds[start] + _BLOCK_BYTES // row_bytes))
            stop = min(max(last, start + 1), len(ids))
            lengths = None if offsets is None else np.diff(bounds[start : stop + 1]).tolist()
            writer.append(ids[start:stop], array[bounds[start] : bounds[stop]], lengths)
            start = stop


_CHUNK_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 26


def _first(ids: list[str]) -> str:
    return repr(ids[0]) if ids else "(none)"
