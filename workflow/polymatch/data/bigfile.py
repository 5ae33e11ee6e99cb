"""BigFile folders: a matrix of float32 on disk with a name for each row.

The layout in which Dual Encoding and its forerunners hand out frame features and word2vec:
``feature.bin``, rows of float32 (little-endian) one after the other; ``id.txt``, the rows' names in
ISO-8859-1 with white space between them; ``shape.txt``, two whole numbers, rows and columns, on its
first line. Nothing but the names is held in memory; rows are read from where they lie, straight
into the result.

Deviations: the published reader takes a name that is there twice for its last row, leaves out names
that it does not know, and never looks at the size of ``feature.bin``; here each of these stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError

FILES = ("feature.bin", "id.txt", "shape.txt")
_TYPE = np.dtype("<f4")
_SHOWN = 60


@dataclass(frozen=True)
class BigFile:
    """A BigFile folder, opened with :meth:`open`.

    Attributes:
        folder: where it lies.
        ids: [n], the name of each row.
        dims: width of a row.

    ``name in bigfile`` says whether there is a row of that name, ``len(bigfile)`` is n.
    """

    folder: Path
    ids: list[str]
    dims: int
    _row_of: dict[str, int] = field(repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path | str) -> BigFile:
        """Read the names and check that all three files fit each other.

        Raises:
            DataError: a file is missing, ``shape.txt`` holds no shape, there are more or fewer
                names or numbers than it says, or a name occurs twice.
        """
        numbers, names, shape = bigfile_paths(Path(folder))
        rows, dims = _read_shape(shape)
        # Only ASCII's white space parts names: as text, ISO-8859-1 would have more of it.
        ids = [name.decode("iso-8859-1") for name in names.read_bytes().split()]
        if len(ids) != rows:
            raise DataError(
                f"{names}: {len(ids)} ids, but {shape.name} says {rows} rows; there must be one id "
                "for each row, in order"
            )
        row_of = {name: row for row, name in enumerate(ids)}
        if len(row_of) != rows:
            row, name = next((r, n) for r, n in enumerate(ids) if row_of[n] != r)
            raise DataError(
                f"{names}: id {row_of[name] + 1} is {name!r}, as id {row + 1} is already; give "
                "every row an id of its own"
            )
        _check_size(numbers, rows, dims)
        return cls(Path(folder), ids, dims, row_of)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._row_of

    @property
    def path(self) -> Path:
        """The file of the numbers."""
        return self.folder / FILES[0]

    def rows_of(self, names: Sequence[str]) -> NDArray[np.int64]:
        """[len(names)]: the row of each name, from 0.

        Raises:
            DataError: there is no row of that name.
        """
        absent = [name for name in names if name not in self._row_of]
        if absent:
            raise DataError(
                f"{self.folder / FILES[1]}: {len(absent)} of {len(names)} ids are not there, e.g. "
                f"{absent[0]!r}; ask for others or add their rows"
            )
        return np.fromiter((self._row_of[name] for name in names), np.int64, len(names))

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows [len(rows), dims], in the order asked for, repeats allowed.

        Rows that are neighbours in the file and in the result are read at once, all of them in the
        file's order; no more than the result is held in memory.

        Raises:
            DataError: there is no such row, or the file has been cut short since it was opened.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        outside = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise DataError(
                f"{self.path}: there is no row {int(wanted[outside][0])}; its {len(self)} rows are "
                "counted from 0"
            )
        taken = np.empty((len(wanted), self.dims), dtype=_TYPE)
        order = np.argsort(wanted, kind="stable")
        breaks = (np.diff(wanted[order]) != 1) | (np.diff(order) != 1)
        with self.path.open("rb", buffering=0) as file:
            for run in np.split(order, np.flatnonzero(breaks) + 1):
                if len(run):
                    file.seek(int(wanted[run[0]]) * self.dims * _TYPE.itemsize)
                    part = taken[run[0] : run[0] + len(run)]
                    self._fill(part.data.cast("B"), file.readinto)
        return taken.astype(np.float32, copy=False)

    def _fill(self, part: memoryview, readinto: Callable[[memoryview], int | None]) -> None:
        # One call gives 2 GB at most.
        while len(part):
            read = readinto(part)
            if not read:
                raise DataError(f"{self.path}: ends early; copy it again")
            part = part[read:]


def bigfile_paths(folder: Path) -> list[Path]:
    """The files of a BigFile folder: numbers, names, shape.

    Raises:
        DataError: one is missing.
    """
    paths = [folder / name for name in FILES]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: no such file; a BigFile folder holds {', '.join(FILES)}")
    return paths


def _read_shape(path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        line = file.readline(_SHOWN).decode("iso-8859-1").strip()
    parts = line.split()
    if len(parts) != 2 or not all(p.isascii() and p.isdecimal() and p.strip("0") for p in parts):
        raise DataError(
            f"{path}: its first line is {line!r}, not two whole numbers above 0, rows and columns; "
            "correct it"
        )
    return int(parts[0]), int(parts[1])


def _check_size(path: Path, rows: int, dims: int) -> None:
    there, expected = path.stat().st_size, rows * dims * _TYPE.itemsize
    if there != expected:
        width, rest = divmod(there, rows * _TYPE.itemsize)
        fits = f", which would fit rows of {width}" if width and not rest else ""
        raise DataError(
            f"{path}: {there} bytes{fits}, but shape.txt says {rows} rows of {dims} float32, which "
            f"are {expected}; copy it again or correct shape.txt"
        )
