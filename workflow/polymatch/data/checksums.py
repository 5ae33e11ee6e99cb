"""Whether a file is the one that is meant: by its size, its SHA-256, or what it begins with.

Where no SHA-256 is known, that of the first file that passes is written to ``NAME.sha256`` beside
it, as ``sha256sum -c`` reads it, and holds from then on.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from polymatch.data.archive_members import is_archive
from polymatch.data.remote import ARCHIVES, RemoteFile
from polymatch.errors import DataError
from polymatch.files import written_atomically


class WrongFile(Exception):
    """Not the file that is meant; the message goes after "it"."""


def check(path: Path, file: RemoteFile, target: Path) -> str:
    """SHA-256 of the file at ``path``, if it is the one that belongs at ``target``.

    Raises:
        WrongFile: its size or SHA-256 is not the known one, it is a web page, or it has the name of
            an archive and is none.
        DataError: the record beside ``target`` is broken.
    """
    size = path.stat().st_size
    page = _is_page(path) and not file.name.lower().endswith((".html", ".htm"))
    if file.bytes is not None and size != file.bytes:
        raise WrongFile(
            f"has {size} bytes{' (a web page)' if page else ''} instead of {file.bytes}"
        )
    if page:
        raise WrongFile("is a web page, as of a log-in or a warning")
    if not file.sha256 and file.name.lower().endswith(ARCHIVES) and not is_archive(path, file.name):
        raise WrongFile("is no archive as its name says, or is cut short")
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    expected = file.sha256 or recorded(target)
    if expected and found != expected:
        said = "" if file.sha256 else f", recorded in {record_of(target).name} on first use"
        raise WrongFile(f"has SHA-256 {found} instead of {expected}{said}")
    return found


def record_of(target: Path) -> Path:
    """The file beside ``target`` that has the SHA-256 of first use."""
    return target.with_name(f"{target.name}.sha256")


def recorded(target: Path) -> str | None:
    """The SHA-256 of first use, if there was one.

    Raises:
        DataError: its file does not begin with a SHA-256.
    """
    path = record_of(target)
    if not path.is_file():
        return None
    found = re.match(r"([0-9a-f]{64})\s", path.read_text(encoding="utf-8") + "\n")
    if not found:
        raise DataError(f"{path}: no SHA-256 in it; delete it to record that of {target.name}")
    return found[1]


def record(target: Path, sha256: str) -> None:
    """Write the SHA-256 of first use."""
    with written_atomically(record_of(target)) as partial:
        partial.write_text(f"{sha256}  {target.name}\n", encoding="utf-8")


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))
