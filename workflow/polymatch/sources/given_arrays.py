"""Arrays and lists that came with a data set: opened where they lie, checked, read in blocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.errors import ConfigError, DataError

_BLOCK_BYTES = 1 << 25
_BLOCKS_MAPPED = 4
_MOST_BYTES = 1 << 29


@dataclass(frozen=True)
class Rows:
    """An array [n, D] or [n, R, F] on disk: a mapped NumPy array or torch tensor."""

    path: Path
    array: Any

    def __len__(self) -> int:
        return len(self.array)

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return int(self.array.shape[-1])

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row: (D,) or (R, F)."""
        return tuple(self.array.shape[1:])

    def blocks(
        self, stop: int | None = None, multiple: int = 1
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and rows [b, ...] as float32, block by block, up to row ``stop``.

        Blocks begin at multiples of ``multiple``.
        """
        stop = len(self) if stop is None else stop
        step = max(1, _BLOCK_BYTES // (8 * int(np.prod(self.row_shape))) // multiple) * multiple
        for start in range(0, stop, step):
            if start % (_BLOCKS_MAPPED * step) == 0:
                # Pages of a map count as the process's until it is closed: a new one gives them up.
                array = _opened(self.path)
            part = array[start : min(start + step, stop)]
            if not isinstance(part, np.ndarray):
                part = part.detach().float().numpy()
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and reported
                yield start, part.astype(np.float32)


def read_rows(path: Path, regions: bool = False) -> Rows:
    """Open an array [n, D], or [n, R, F] of ``regions``: mapped NumPy or a tensor of torch's.

    Raises:
        DataError: it is no such array, or not a whole one.
    """
    array = _opened(path)
    shape = tuple(array.shape)
    if regions and len(shape) != 3:
        raise DataError(
            f"{path}: shape {shape}; regions are [images, regions, width], three-dimensional"
        )
    if not regions and len(shape) != 2:
        raise DataError(f"{path}: shape {shape}; embeddings are [rows, width], two-dimensional")
    if 0 in shape:
        raise DataError(f"{path}: shape {shape} holds nothing; make the embeddings again")
    return Rows(path, array)


def _opened(path: Path) -> Any:
    return _mapped(path) if path.suffix == ".npy" else _tensor(path)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path}: not a whole .npy array of numbers ({_first_line(error)}); "
            "copy or save it again"
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = getattr(array, "dtype", type(array).__name__)
        raise DataError(f"{path}: holds {kind}, not floating-point numbers")
    return array


def _tensor(path: Path) -> Any:
    # Importing torch takes seconds, which the NumPy layout need not wait for.
    import torch

    from polymatch.data.torch_files import read_torch

    value = read_torch(path, most_bytes=_MOST_BYTES)
    if not isinstance(value, torch.Tensor):
        raise DataError(
            f"{path}: holds a {type(value).__name__}, not a tensor; "
            "save the embeddings alone: torch.save(embeddings.cpu(), path)"
        )
    if value.layout != torch.strided or not value.is_floating_point():
        raise DataError(f"{path}: holds {value.layout} {value.dtype}, not dense floating numbers")
    return value


def read_list(path: Path, rows: int, of_what: str) -> list[str]:
    """Read a JSON list of ``rows`` texts or whole numbers; DataError if it is something else."""
    return checked_list(read_json(path), rows, of_what, path)


def checked_list(values: Any, rows: int, of_what: str, path: Path | str) -> list[str]:
    """Return ``values`` as texts if there are ``rows`` of them; ``path`` says where they are."""
    if not isinstance(values, list):
        raise DataError(f"{path}: holds a {type(values).__name__}, not a list")
    if len(values) != rows:
        raise DataError(
            f"{path}: {len(values)} entries for {rows} {of_what}; one for each, in order"
        )
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DataError(f"{path}: entry {row + 1} is {value!r}, not a text")
    return [str(value) for value in values]


def read_json(path: Path) -> Any:
    """Read a JSON file; DataError if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON in UTF-8 ({_first_line(error)}); save it again"
        ) from error


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file, stripped as bytes; DataError if one is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.strip().decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}: line {number} is not UTF-8 ({error.reason}); save it as UTF-8"
                ) from error


def refuse_other_widths(first: Rows, *others: Rows) -> None:
    """Refuse arrays of one side that cannot come from one encoder."""
    for other in others:
        if other.width != first.width:
            raise DataError(
                f"{other.path}: width {other.width}, but {first.path} has {first.width}; "
                "both must come from one encoder"
            )


def refuse_shared_ids(parts: Sequence[tuple[object, Sequence[str]]]) -> None:
    """Refuse an id that is in two of the parts, each given by its place and its distinct ids."""
    places: dict[str, object] = {}
    for place, ids in parts:
        shared = [item_id for item_id in ids if item_id in places]
        if shared:
            raise DataError(
                f"{place}: {len(shared)} of its {len(ids)} ids are in {places[shared[0]]} too, "
                f"e.g. {shared[0]!r}; what is tested must not be trained on, so take them out of "
                "one"
            )
        places |= dict.fromkeys(ids, place)


def row_key(row: NDArray[np.float32]) -> bytes:
    """What equal rows have in common, and others have not."""
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def lowest(ids: Sequence[str], share: float) -> set[str]:
    """The ``share`` of ``ids``, at least one, whose SHA-256 is lowest."""
    ordered = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).digest())
    return set(ordered[: max(1, round(share * len(ids)))])


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def names_of_splits(key: str, names: dict[str, str]) -> dict[str, str]:
    """Return the name that each split has in files, unchanged, after a check.

    Args:
        key: section of the config that gives the names, for messages.
        names: split to name.

    Raises:
        ConfigError: two splits have one name.
    """
    places: dict[str, str] = {}
    for split, name in names.items():
        other = places.setdefault(name, split)
        if other != split:
            raise ConfigError(
                f"{key}.{split}: {name!r} is that of {other} too; a head is never tested on what "
                "it was trained on"
            )
    return names


def given_items(ids: Sequence[str], split: str | Sequence[str]) -> pd.DataFrame:
    """Items that have no picture, only features: each a group of its own.

    Args:
        split: of all of them, or of each.
    """
    return pd.DataFrame(
        {
            "item_id": ids,
            "path": pd.Series([None] * len(ids), dtype="str"),
            "n_frames": pd.Series([None] * len(ids), dtype="Int64"),
            "group_id": ids,
            "split": split,
        }
    )
