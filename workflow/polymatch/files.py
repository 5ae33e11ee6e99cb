"""Outputs appear under their final name whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_atomically(path: Path | str, durable: bool = False) -> Iterator[Path]:
    """Give a temporary name beside ``path``; move it into place only if the block succeeds.

    The temporary name keeps the suffix, since writers choose a format by it.

    Args:
        durable: have it on the disk before it is moved, so that a machine that goes down leaves the
            old file or the new one; a process that is killed always does.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        if durable:
            _flush(partial)
        partial.replace(path)
        if durable:
            _flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(path: Path | str) -> None:
    """Delete what killed processes have left of :func:`written_atomically` of ``path``.

    None may be writing it.
    """
    path = Path(path)
    for partial in path.parent.glob(f".{path.stem}.*.partial{path.suffix}"):
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
