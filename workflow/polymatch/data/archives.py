"""Archives from elsewhere become folders, and nothing else.

Members are copied out one by one under names that were looked at first; their links, owners, modes
and times are not applied. The folder appears under its name when all of it is there, and then its
marker, ``FOLDER.unpacked.json``. A folder with files but no marker was placed by hand: it is taken.
Sizes in headers are not believed: bytes are counted as they are written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from polymatch.data.archive_members import DAMAGED, Member, members
from polymatch.data.member_names import wanted_name
from polymatch.data.remote import Unpacked
from polymatch.data.space import one_at_a_time, readable, require_space
from polymatch.errors import DataError
from polymatch.files import written_atomically

CHUNK = 2**20


def unpack(archive: Path, unpacked: Unpacked, root: Path, sha256: str | None = None) -> Path:
    """Unpack into ``root / unpacked.folder`` unless that is there; return the marker.

    Args:
        archive: a zip, or a tar, plain or compressed by gzip, bzip2 or xz.
        unpacked: what of it is wanted, and where.
        root: ``data.root``.
        sha256: of the archive, where it is known already.

    Raises:
        DataError: the archive is damaged, encrypted, holds more than was declared, or members that
            are no plain files, would leave the folder or share a name; the folder was unpacked from
            another archive; or the disk has no room. Nothing is left under the folder's name.
    """
    folder = root / unpacked.folder
    with one_at_a_time(folder):
        if has_files(folder):
            return _standing(folder, archive.name, sha256)
        require_space(folder.parent, unpacked.max_bytes, archive.name)
        if sha256 is None:
            with _reading(archive), archive.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        staging = folder.with_name(f".{folder.name}.unpacking")
        shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
        try:
            with _reading(archive):
                files, size = _copy_members(archive, unpacked, staging)
            staging.replace(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _write_marker(
            folder,
            archive=archive.name,
            archive_bytes=archive.stat().st_size,
            sha256=sha256,
            files=files,
            bytes=size,
        )
        return marker_of(folder)


def marker_of(folder: Path) -> Path:
    """The file beside an unpacked folder that says what it was unpacked from."""
    return folder.with_name(f"{folder.name}.unpacked.json")


def has_files(folder: Path) -> bool:
    """Whether there is a folder with anything in it.

    Raises:
        DataError: something else has its name.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: a file where a folder belongs; move it away")
    return folder.is_dir() and any(folder.iterdir())


def _standing(folder: Path, archive: str, sha256: str | None) -> Path:
    marker = marker_of(folder)
    if not marker.is_file():
        files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        _write_marker(
            folder,
            archive=None,
            archive_bytes=None,
            sha256=None,
            files=len(files),
            bytes=sum(files),
        )
    was = json.loads(marker.read_text(encoding="utf-8"))["sha256"]
    if None not in (was, sha256) and was != sha256:
        raise DataError(
            f"{folder}: unpacked from an archive with SHA-256 {was}, {archive} has {sha256}; "
            f"delete the folder and {marker.name} to unpack it again"
        )
    return marker


def _write_marker(folder: Path, **record: Any) -> None:
    with written_atomically(marker_of(folder)) as partial_file:
        partial_file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _copy_members(archive: Path, unpacked: Unpacked, staging: Path) -> tuple[int, int]:
    """Write what is wanted below ``staging``; number of files and of bytes."""
    _creating(staging, archive, partial(_make_folder, staging))
    files = size = 0
    for member in members(archive):
        name = wanted_name(member.name, unpacked, archive)
        if not (member.is_plain or member.is_folder):
            raise DataError(
                f"{archive}: {member.name!r} is a link or a device; nothing was unpacked"
            )
        if not name or (member.is_folder and unpacked.keep):
            continue
        if member.is_folder:
            _creating(staging / name, archive, partial(_make_folder, staging / name))
            continue
        size += _copy(member, staging / name, archive, unpacked, size)
        files += 1
    if not files:
        raise DataError(
            f"{archive}: no file in it begins with {unpacked.strip!r} and fits "
            f"{unpacked.keep or '*'!r}; correct `strip` or `keep`"
        )
    return files, size


def _copy(member: Member, path: Path, archive: Path, unpacked: Unpacked, before: int) -> int:
    written = 0
    _creating(path, archive, partial(_make_folder, path.parent))
    out = _creating(path, archive, partial(path.open, "xb"))
    data = member.open()
    assert data is not None  # a plain file
    with out, data:
        while chunk := data.read(CHUNK):
            written += len(chunk)
            if before + written > unpacked.max_bytes:
                raise DataError(
                    f"{archive}: holds more than the declared {readable(unpacked.max_bytes)}; "
                    "nothing was unpacked; if that is right, raise `max_bytes`"
                )
            _creating(path, archive, partial(_put, out, chunk))
    if written != member.size:
        raise EOFError(f"{member.name}: {written} of {member.size} bytes")
    return written


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _put(out: IO[bytes], chunk: bytes) -> None:
    out.write(chunk)
    out.flush()


def _creating(path: Path, archive: Path, write: Callable[[], Any]) -> Any:
    """Write something; what the disk refuses is not taken for the archive's fault."""
    try:
        return write()
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(
            f"{archive}: two members are called {path.name!r}, or one is the other's folder; "
            "nothing was unpacked"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); nothing was unpacked"
        ) from error


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{archive}: no such archive; fetch it or put it there") from None
    except PermissionError:
        raise DataError(f"{archive}: may not be read; change its permissions") from None
    except NotImplementedError as error:
        raise DataError(f"{archive}: {error}; unpack it by hand") from error
    except DAMAGED as error:
        why = str(error) or type(error).__name__
        raise DataError(
            f"{archive}: damaged or cut short ({why}); delete it, and its .sha256 if there is "
            "one, and fetch it again"
        ) from error
