"""Feature and embedding stores: one HDF5 file of ids and what an encoder or head gave for them.

Datasets: ``ids`` (UTF-8, variable length), ``features`` chunked along the first axis ([n, D], or
[n, R, F] for regions), and ``offsets`` (int64, [n + 1]) when an item has a number of rows of its
own (frames): item i holds rows offsets[i] to offsets[i + 1]. Attributes say where the numbers come
from. Two decisions: a store is written in blocks and checked as it is written, so that no array
has to fit in memory and no NaN reaches a head; it is read in contiguous runs, always as float32.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
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

Array = NDArray[np.float32]


class FeatureWriter:
    """Write a store block by block; it appears under its name when the ``with`` block ends well.

    Args:
        path: the final name.
        dim: width of a feature, or its shape ((36, 1280) for regions).
        attributes: at least :data:`PROVENANCE`.
        ragged: an item has several rows; :meth:`append` then needs their ``lengths``.
        dtype: ``float32`` or ``float16`` on disk.

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
        if dtype not in ("float32", "float16"):
            raise DataError(f"{self.path}: dtype {dtype!r} is not float32 or float16")

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
        self._features.resize(self._rows + len(array), axis=0)
        self._features[self._rows :] = array
        if self._ragged:
            self._offsets.resize(len(self._seen) + 1, axis=0)
            self._offsets[first + 1 :] = self._rows + np.cumsum(rows)
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


class FeatureStore:
    """Read a store; opened at first use and once per process, so it can be sent to workers.

    Raises:
        DataError: from any use: the file is missing, truncated, or not a store.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._opened: tuple[int, h5py.File] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def ids(self) -> list[str]:
        """The ids, in the order of the rows."""
        return [text.decode("utf-8") for text in self._read("ids", 0, None)]

    @cached_property
    def attributes(self) -> dict[str, str | int | float]:
        """What the writer said of the features (:data:`PROVENANCE`, ``dtype``, ...)."""
        return {name: _python(value) for name, value in self._file.attrs.items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row: (D,) or (R, F)."""
        return tuple(self._file["features"].shape[1:])

    @property
    def dim(self) -> int:
        """Width of a feature: the last axis."""
        return self.shape[-1]

    @property
    def ragged(self) -> bool:
        """Whether an item has a number of rows of its own."""
        return "offsets" in self._file

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """[n + 1]: item i holds rows offsets[i] to offsets[i + 1]."""
        if not self.ragged:
            return np.arange(len(self) + 1, dtype=np.int64)
        return self._read("offsets", 0, None)

    def read(self, start: int = 0, stop: int | None = None) -> Array:
        """Features of the items ``start`` to ``stop``: [n, ...]; not for ragged stores."""
        self._refuse_ragged("read")
        return self._read("features", start, stop).astype(np.float32, copy=False)

    def gather(self, ids: Sequence[str]) -> Array:
        """Features of ``ids``, in their order, repeats allowed: [len(ids), ...]; not ragged."""
        return self.take(self.index(ids))

    def take(self, rows: NDArray[np.int64], checked: bool = False) -> Array:
        """Features of these rows, in their order, repeats allowed: [len(rows), ...]; not ragged.

        Only what is read is looked through, so that a large store costs no more than its use;
        with ``checked`` (the same rows were read before) that is left out.

        Raises:
            DataError: a feature is NaN or infinite.
        """
        self._refuse_ragged("gather")
        return self._take(rows, checked)

    def blocks(self) -> Iterator[tuple[list[str], Array]]:
        """Ids and features [b, ...] of the whole store, block by block; not for ragged stores.

        Raises:
            DataError: a feature is NaN or infinite.
        """
        self._refuse_ragged("read")
        for start, block in self._blocks():
            self._refuse_nonfinite(block, start)
            yield self.ids[start : start + len(block)], block.astype(np.float32, copy=False)

    def read_ragged(
        self, start: int = 0, stop: int | None = None
    ) -> tuple[Array, NDArray[np.int64]]:
        """Rows of the items ``start`` to ``stop``, concatenated, and how many each has."""
        bounds = self.offsets[start : (len(self) if stop is None else stop) + 1]
        rows = self._read("features", int(bounds[0]), int(bounds[-1]))
        return rows.astype(np.float32, copy=False), np.diff(bounds)

    def gather_ragged(self, ids: Sequence[str]) -> tuple[Array, NDArray[np.int64]]:
        """Rows of ``ids``, concatenated in their order, and how many each has."""
        items = self.index(ids)
        first, lengths = self.offsets[items], np.diff(self.offsets)[items]
        # row numbers first[i], first[i] + 1, ... for each item, without a Python loop
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._take(np.repeat(first, lengths) + within, checked=False), lengths

    def index(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Positions of ``ids`` in the store; a :class:`DataError` names those that it lacks."""
        absent = [item_id for item_id in ids if item_id not in self._position]
        if absent:
            named = ", ".join(map(repr, absent[:3]))
            raise DataError(
                f"{self.path}: {len(absent)} of {len(ids)} ids have no features, e.g. {named}; "
                "delete the file and run its stage again"
            )
        return np.fromiter((self._position[i] for i in ids), np.int64, len(ids))

    def check(self, dataset: str | None = None, ids: Sequence[str] | None = None) -> None:
        """Refuse a store of another data set, without features for ``ids``, or with NaN.

        Reads the file once, in blocks.

        Raises:
            DataError: the first of these that is found, with the ids concerned.
        """
        if dataset is not None:
            self.check_dataset(dataset)
        if ids is not None:
            self.index(ids)
        for start, block in self._blocks():
            self._refuse_nonfinite(block, start)

    def check_dataset(self, dataset: str) -> None:
        """Refuse a store of another data set with a :class:`DataError`."""
        if self.attributes.get("dataset") != dataset:
            raise DataError(
                f"{self.path}: features of data set {self.attributes.get('dataset')!r}, "
                f"not of {dataset!r}; delete the file and run its stage again"
            )

    def _refuse_nonfinite(self, block: NDArray[Any], start: int) -> None:
        """Refuse rows ``start`` and following of the store if one of them is not finite."""
        wrong = ~np.isfinite(block.reshape(len(block), -1)).all(axis=1)
        if wrong.any():
            row = start + int(np.argmax(wrong))
            owner = int(np.searchsorted(self.offsets, row, side="right")) - 1
            raise DataError(
                f"{self.path}: features of {self.ids[owner]!r} (row {row + 1}) hold NaN or "
                "infinity; delete the file and run its stage again"
            )

    @cached_property
    def _position(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.ids)}

    @property
    def _file(self) -> h5py.File:
        # a handle that came through fork shares its file position with the parent
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self._open())
        return self._opened[1]

    def _open(self) -> h5py.File:
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file; run the stage that writes it")
        try:
            file = h5py.File(self.path, "r")
            items, rows = len(file["ids"]), len(file["features"])
            last = int(file["offsets"][-1]) if "offsets" in file else items
        except (OSError, KeyError, ValueError) as error:
            raise self._broken(error) from error
        if last != rows or ("offsets" in file and len(file["offsets"]) != items + 1):
            raise self._broken(f"{items} ids, {rows} rows")
        return file

    def _read(self, name: str, start: int, stop: int | None) -> NDArray[Any]:
        try:
            return self._file[name][start:stop]
        except OSError as error:
            raise self._broken(error) from error

    def _take(self, rows: NDArray[np.int64], checked: bool) -> Array:
        """Rows in any order: near ones are read together in one block and picked in memory."""
        taken = np.empty((len(rows), *self.shape), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        row_bytes = 4 * max(1, int(np.prod(self.shape)))
        for run in np.split(order, np.flatnonzero(np.diff(ordered) > _NEAR_ROWS) + 1):
            step = max(1, _BLOCK_BYTES // (row_bytes * _NEAR_ROWS))
            for part in (run[i : i + step] for i in range(0, len(run), step)):
                low, high = int(rows[part[0]]), int(rows[part[-1]]) + 1
                picked = self._read("features", low, high)
                if (np.diff(rows[part]) != 1).any():
                    picked = picked[rows[part] - low]
                if not checked:
                    self._refuse_picked(picked, rows[part])
                taken[part] = picked
        return taken

    def _refuse_picked(self, picked: NDArray[Any], rows: NDArray[np.int64]) -> None:
        wrong = ~np.isfinite(picked.reshape(len(picked), -1)).all(axis=1)
        if wrong.any():
            self._refuse_nonfinite(picked[wrong][:1], int(rows[wrong][0]))

    def _blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        rows = len(self._file["features"])
        step = max(1, _BLOCK_BYTES // (4 * max(1, int(np.prod(self.shape)))))
        for start in range(0, rows, step):
            yield start, self._read("features", start, start + step)

    def _refuse_ragged(self, name: str) -> None:
        if self.ragged:
            raise DataError(f"{self.path}: items have several rows each; use {name}_ragged")

    def _broken(self, why: object) -> DataError:
        first = (str(why).splitlines() or [type(why).__name__])[0]
        return DataError(
            f"{self.path}: not a whole feature store ({first}); "
            "delete the file and run its stage again"
        )


_CHUNK_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 26
_NEAR_ROWS = 16


def _first(ids: list[str]) -> str:
    return repr(ids[0]) if ids else "(none)"


def _python(value: Any) -> str | int | float:
    return value.item() if isinstance(value, np.generic) else value
