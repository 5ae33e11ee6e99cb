"""Files that should be there: which are missing, and how to bring them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polymatch.data.archives import has_files
from polymatch.data.remote import RemoteFile
from polymatch.data.space import readable


def is_there(file: RemoteFile, root: Path) -> bool:
    """Whether the file lies in its place, or what it becomes does.

    An archive counts as there when its folder has anything in it; the archive alone does not.
    """
    if file.unpacked:
        return has_files(root / file.unpacked.folder)
    return (root / file.name).is_file()


def missing_files(files: Sequence[RemoteFile], root: Path) -> list[RemoteFile]:
    """Those of ``files`` that are not there, in their order."""
    return [file for file in files if not is_there(file, root)]


def by_hand(file: RemoteFile, root: Path) -> str:
    """Where a file belongs, and by what it is known; one line."""
    known = [
        *([] if file.bytes is None else [f"{file.bytes} bytes"]),
        *([f"SHA-256 {file.sha256}"] if file.sha256 else []),
    ]
    line = f"put it at {(root / file.name).absolute()}"
    if known:
        line += f" ({', '.join(known)})"
    if file.unpacked:
        line += f", or what is in it into {(root / file.unpacked.folder).absolute()}"
    return line


def expected_table(files: Sequence[RemoteFile], root: Path) -> str:
    """Plain text for a person who brings the files: a block a file, a line a fact.

    >>> print(expected_table([RemoteFile("a.csv", (), 3, None, "rows", "MIT")], Path("/data")))
    a.csv
      what      rows
      put it    /data/a.csv
      size      3 bytes
      sha256    -
      from      -
      licence   MIT
    """
    return "\n".join(_block(file, root) for file in files)


def _block(file: RemoteFile, root: Path) -> str:
    facts = [("what", file.about), ("put it", str((root / file.name).absolute()))]
    if file.unpacked:
        facts.append(("unpacked", str((root / file.unpacked.folder).absolute())))
    facts += [
        ("size", _size(file.bytes)),
        ("sha256", file.sha256 or "-"),
        *(("from", url) for url in file.urls or ("-",)),
        ("licence", file.licence),
    ]
    return "\n".join([file.name, *(f"  {name:<9} {value}" for name, value in facts)])


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    return f"{size} bytes" if size < 1000 else f"{size} bytes ({readable(size)})"
