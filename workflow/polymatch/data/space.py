"""Room on a disk, asked for before it is filled, and one process at a time in one place."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from polymatch.errors import DataError


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise unless ``needed`` bytes are free on the disk that ``folder`` lies on.

    Raises:
        DataError: fewer are free, with both figures.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{what}: {readable(needed)} are needed in {folder.resolve()}, {readable(free)} are "
            "free; make room there, or set `data.root` to a folder on a larger disk"
        )


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``; another process that asks for it waits, and says so.

    The lock is the kernel's on an open file, so it ends with the process that holds it, however
    that ends. The lock file ``.NAME.lock`` beside ``path`` stays: to delete it would let two
    processes lock two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{path}: another process is at it; waiting", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def readable(size: float) -> str:
    """A number of bytes for people, in powers of 1,000 as disks are sold.

    >>> readable(999), readable(6_123_456_789)
    ('999 bytes', '6.1 GB')
    """
    if size < 1000:
        return f"{size:.0f} bytes"
    units = iter(("kB", "MB", "GB", "TB", "PB", "EB"))
    unit, size = next(units), size / 1000
    while size >= 999.95:
        unit, size = next(units), size / 1000
    return f"{size:.1f} {unit}"
