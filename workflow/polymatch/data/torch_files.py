"""Files that ``torch.save`` wrote elsewhere, read without running what a pickle may ask for.

``weights_only=True`` always: tensors, numbers, texts and their containers, nothing that has code.
Files of the usual (zip) form are mapped, so that an array of any size costs no memory by itself;
torch before 2.1, which an encoder's own environment may have, reads them whole.
"""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from polymatch.errors import DataError

_ZIP = b"PK\x03\x04"
_CAN_MAP = "mmap" in inspect.signature(torch.load).parameters
_BROKEN = (RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError, TypeError)


def read_torch(
    path: Path | str, *, classes: Sequence[Any] = (), most_bytes: int | None = None
) -> Any:
    """Return what a file of ``torch.save`` holds, on the CPU.

    Args:
        path: the file.
        classes: classes that are allowed beside tensors and plain values, each alone or with its
            name in the file, (class, name).
        most_bytes: refuse a file in the old, unmappable form that is larger than this.

    Raises:
        DataError: no such file, not such a file, or it holds more than is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; put it there or correct its name in the config")
    with path.open("rb") as file:
        mapped = _CAN_MAP and file.read(len(_ZIP)) == _ZIP
    if most_bytes is not None and not mapped and path.stat().st_size > most_bytes:
        raise DataError(
            f"{path}: in the form of torch before 1.6, which cannot be read in parts; "
            "load it and save it again with torch.save"
        )
    allowed = torch.serialization.safe_globals(list(classes)) if classes else nullcontext()
    how = {"mmap": True} if mapped else {}
    try:
        with allowed:
            return torch.load(path, map_location="cpu", weights_only=True, **how)
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL |got <class ')([\w.]+)", str(error))
        if named is None:
            raise _not_torch(path) from error
        raise DataError(
            f"{path}: holds {named[1]}, more than tensors and plain values, and is not loaded "
            "since a pickle can run code; save its tensors alone with torch.save"
        ) from error
    except _BROKEN as error:
        raise _not_torch(path) from error


def _not_torch(path: Path) -> DataError:
    return DataError(
        f"{path}: not a whole file of torch.save (another format, or truncated); "
        "save or copy it again"
    )
