"""What a model makes of a gallery: made once, kept beside the run, read where it lies.

It is a folder of arrays, a ``.npy`` for each tensor that the model's encoding consists of, and
``record.json``, which says what they were made from. Where that is not what is there now they are
made again. They are mapped into memory, so that a gallery may be larger than it, and are written in
blocks; where the folder cannot be written (someone else's results) they stay in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymatch.data.space import one_at_a_time
from polymatch.files import written_atomically

Key = Mapping[str, Any]
"""What something was made from, as JSON can hold it."""

_RECORD = "record.json"


def tensors_of(encoded: Any) -> list[Tensor]:
    """The tensors that an encoding consists of: itself, or the parts of (named) tuples."""
    if isinstance(encoded, Tensor):
        return [encoded]
    return [tensor for part in encoded for tensor in tensors_of(part)]


def like(template: Any, tensors: Iterator[Tensor]) -> Any:
    """Tensors as an encoding of the form of ``template``; undoes :func:`tensors_of`."""
    if isinstance(template, Tensor):
        return next(tensors)
    return type(template)(*[like(part, tensors) for part in template])


def kept(
    folder: Path,
    key: Key,
    rows: int,
    blocks: Callable[[], Iterable[Any]],
    template: Callable[[], Any],
    longest: int = 0,
) -> Any:
    """The encoding that ``blocks`` make, read from ``folder`` where it was made before.

    Args:
        key: what it is made from; equal keys mean equal encodings.
        rows: of all blocks together.
        template: an encoding of the same form, of any rows.
        longest: width of the second of three axes, where blocks have different ones; what is
            behind a block's own is 0.
    """
    if made_from(folder, key):
        return like(template(), _mapped(folder))
    try:
        with one_at_a_time(folder):
            if not made_from(folder, key):
                _write(folder, key, rows, blocks(), longest)
            return like(template(), _mapped(folder))
    except OSError:
        if os.access(folder.parent, os.W_OK):
            raise
    with tempfile.TemporaryDirectory() as place:
        arrays = _filled(Path(place), rows, blocks(), longest)
        return like(template(), (torch.from_numpy(np.array(array)) for array in arrays))


def made_from(folder: Path, key: Key) -> bool:
    """Whether what lies in ``folder`` was made from ``key``."""
    return read_record(folder).get("key") == json.loads(json.dumps(key))


def read_record(folder: Path) -> dict[str, Any]:
    """What the folder's record says; nothing where there is none that can be read."""
    try:
        found = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(folder: Path, key: Key, **more: Any) -> None:
    """Write a folder's record, last of all: it says that the rest is whole."""
    with written_atomically(folder / _RECORD) as path:
        path.write_text(json.dumps({"key": key, **more}, indent=1) + "\n", encoding="utf-8")


def _write(folder: Path, key: Key, rows: int, blocks: Iterable[Any], longest: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        partial = Path(place) / "whole"
        partial.mkdir()
        for array in _filled(partial, rows, blocks, longest):
            array.flush()
        write_record(partial, key)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)


def _filled(folder: Path, rows: int, blocks: Iterable[Any], longest: int) -> list[np.memmap]:
    """Files of the tensors of all blocks, one after another."""
    arrays: list[np.memmap] = []
    start = 0
    for block in blocks:
        tensors = [tensor.cpu().numpy() for tensor in tensors_of(block)]
        if not arrays:
            for number, tensor in enumerate(tensors):
                shape = [rows, *tensor.shape[1:]]
                if len(shape) == 3 and longest:
                    shape[1] = longest
                path = folder / f"{number}.npy"
                arrays.append(np.lib.format.open_memmap(path, "w+", tensor.dtype, tuple(shape)))
        stop = start + len(tensors[0])
        for array, tensor in zip(arrays, tensors, strict=True):
            if tensor.ndim == 3:
                array[start:stop, : tensor.shape[1]] = tensor
            else:
                array[start:stop] = tensor
        start = stop
    return arrays


def _mapped(folder: Path) -> Iterator[Tensor]:
    files = sorted(folder.glob("*.npy"), key=lambda path: int(path.stem))
    # Copied on write, since torch knows no tensor that may not be written; nothing writes.
    return (torch.from_numpy(np.load(path, mmap_mode="c")) for path in files)
