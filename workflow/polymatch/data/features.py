"""Feature and embedding stores: one HDF5 file of ids and what an encoder or head gave for them.

Datasets: ``ids`` (UTF-8, variable length), ``features`` chunked along the first axis ([n, D], or
[n, R, F] for regions), and ``offsets`` (int64, [n + 1]) when an item has a number of rows of its
own (frames): item i holds rows offsets[i] to offsets[i + 1]. Attributes say where the numbers come
from. Two decisions: a store is written in blocks and checked as it is written, so that no array
has to fit in memory and no NaN reaches a head; it is read in contiguous runs, always as float32.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from polymatch.data.feature_writer import PROVENANCE, FeatureWriter, write_features
from polymatch.errors import DataError

__all__ = ["PROVENANCE", "FeatureStore", "FeatureWriter", "write_features"]

Array = NDArray[np.float32]


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
        return self.take_ragged(self.index(ids))

    def take_ragged(
        self, items: NDArray[np.int64], checked: bool = False
    ) -> tuple[Array, NDArray[np.int64]]:
        """Rows of these items, concatenated in their order, and how many each has."""
        first, lengths = self.offsets[items], np.diff(self.offsets)[items]
        # row numbers first[i], first[i] + 1, ... for each item, without a Python loop
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._take(np.repeat(first, lengths) + within, checked), lengths

    def numbers_of(self, rows: NDArray[np.int64]) -> int:
        """How many numbers the features of these items are in memory."""
        return len(rows) * int(np.prod(self.shape))

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


_BLOCK_BYTES = 1 << 26
_NEAR_ROWS = 16


def _python(value: Any) -> str | int | float:
    return value.item() if isinstance(value, np.generic) else value
