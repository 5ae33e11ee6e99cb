"""What is in a zip or a tar, in its order, read once from front to back.

``tarfile`` takes a header that is cut off or broken for the end of the archive, and its stream mode
leaves out gzip's checksum; here both are errors.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from polymatch.errors import DataError

CHUNK = 2**20
LONGEST_HEADER = 2**20
"""Names and attributes of one member; tarfile holds them in memory."""
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
    struct.error,
)
"""What the readers raise for bytes that are no archive, or not all of one."""
COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


class Member(NamedTuple):
    """One member of an archive.

    Attributes:
        name: as the archive has it.
        size: in bytes, as its header says.
        is_folder: whether it is a folder.
        is_plain: whether it is a plain file; else, and if no folder, a link, device or pipe.
        open: gives the bytes; before the next member is asked for.
    """

    name: str
    size: int
    is_folder: bool
    is_plain: bool
    open: Callable[[], IO[bytes] | None]


def members(archive: Path) -> Iterator[Member]:
    """Give the members in turn.

    Raises:
        DataError: one is encrypted.
        Exception: any of ``DAMAGED``, also after the last member.
        NotImplementedError: compressed in a way that is not known here.
    """
    return (_zip_members if _is_zip(archive.name) else _tar_members)(archive)


def is_archive(path: Path, name: str) -> bool:
    """Whether a file can be opened as what its final name says: a zip, or else a tar."""
    if _is_zip(name):
        return zipfile.is_zipfile(path)
    try:
        return tarfile.is_tarfile(path)
    except DAMAGED:
        return False


def _is_zip(name: str) -> bool:
    # By its name: a tar whose last member is a zip ends like one.
    return name.lower().endswith(".zip")


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if info.flag_bits & 0x1:
                raise DataError(f"{archive}: {info.filename!r} is encrypted; unpack it by hand")
            kind = stat.S_IFMT(info.external_attr >> 16)
            yield Member(
                name=info.filename,
                size=info.file_size,
                is_folder=info.is_dir(),
                is_plain=kind in (0, stat.S_IFREG),
                open=partial(file.open, info),
            )


class _Header(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(tarfile.BLOCKSIZE):
                raise  # an empty block: the end
            raise tarfile.ReadError(f"{error} at a member's start") from error
        if not (header.isreg() or header.isdir()) and header.size > LONGEST_HEADER:
            raise tarfile.ReadError("a header of more than a MiB")
        return header


def _tar_members(archive: Path) -> Iterator[Member]:
    with archive.open("rb") as file:
        start = file.read(8)
    opened = next((way for magic, way in COMPRESSED.items() if start.startswith(magic)), None)
    with (
        opened(archive) if opened else archive.open("rb") as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar,
    ):
        for info in tar:
            yield Member(
                name=info.name,
                size=info.size,
                is_folder=info.isdir(),
                is_plain=info.isreg(),
                open=partial(tar.extractfile, info),
            )
        # The end of a compressed stream has the checksum of all of it.
        padding = 0
        while rest := stream.read(CHUNK):
            padding += len(rest)
            if padding > 64 * CHUNK:
                raise tarfile.ReadError("more than 64 MiB after its end")
