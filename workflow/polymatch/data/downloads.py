"""Files of a data set come from their mirrors: once, whole, and only the ones that are meant.

A file that is in place is checked and taken, whoever put it there; a wrong one is named and left as
it is. Nothing appears under a file's name before its size and SHA-256 are right.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from polymatch.data.answers import MirrorFailed
from polymatch.data.archives import has_files, unpack
from polymatch.data.checksums import WrongFile, check, record, record_of, recorded
from polymatch.data.expected import by_hand
from polymatch.data.parts import Part
from polymatch.data.remote import RemoteFile
from polymatch.data.space import one_at_a_time, require_space
from polymatch.data.transfer import Patience, transfer
from polymatch.errors import DataError


def download(file: RemoteFile, root: Path, patience: Patience | None = None) -> Path:
    """Bring a file to ``root / file.name`` from the first mirror that gives it; its path.

    Args:
        file: what it is and where it comes from.
        root: ``data.root``.
        patience: how long each mirror is tried.

    Raises:
        DataError: another file is in its place; no mirror gave it, with what each said and where to
            put it by hand; or the disk has no room.
    """
    _ensure(file, Path(root), patience or Patience())
    return Path(root) / file.name


def fetch(file: RemoteFile, root: Path, patience: Patience | None = None) -> dict[str, Any]:
    """Bring a file and unpack it where it is to be unpacked; a record of what is there now.

    An archive whose folder has files in it is neither asked for nor opened.

    Raises:
        DataError: as :func:`download` and :func:`polymatch.data.archives.unpack` raise it.
    """
    root = Path(root)
    known = {"name": file.name, "place": file.place, "licence": file.licence}
    sha256 = file.sha256
    if file.unpacked is None or not has_files(root / file.unpacked.folder):
        sha256 = _ensure(file, root, patience or Patience())
    if file.unpacked is None:
        return known | {"bytes": (root / file.name).stat().st_size, "sha256": sha256}
    marker = unpack(root / file.name, file.unpacked, root, sha256)
    return known | json.loads(marker.read_text(encoding="utf-8"))


def _ensure(file: RemoteFile, root: Path, patience: Patience) -> str:
    """SHA-256 of the file, which is in its place from now on."""
    target = root / file.name
    with one_at_a_time(target):
        if target.exists():
            try:
                sha256 = check(target, file, target)
            except WrongFile as error:
                hint = "delete it, or move it away, to download it"
                if not file.sha256 and recorded(target):
                    hint += f"; if it is the right one, delete {record_of(target).name}"
                raise DataError(f"{target}: is in the way: it {error}; {hint}") from None
        else:
            sha256 = _bring(file, root, patience)
        if not file.sha256 and recorded(target) is None:
            record(target, sha256)
        return sha256


def _bring(file: RemoteFile, root: Path, patience: Patience) -> str:
    target = root / file.name
    part = Part(target)
    unpacked = file.unpacked.max_bytes if file.unpacked else 0
    require_space(target.parent, (file.bytes or part.size) - part.size + unpacked, file.name)
    tried = []
    for url in file.urls:
        try:
            sha256 = _from_mirror(file, url, part, target, patience)
        except MirrorFailed as error:
            tried.append(f"{url} ({error})")
        else:
            part.become(target)
            return sha256
    what = f"tried {'; '.join(tried)}" if tried else "it has no mirror"
    raise DataError(f"{file.name}: not downloaded: {what}; {by_hand(file, root)}")


def _from_mirror(file: RemoteFile, url: str, part: Part, target: Path, patience: Patience) -> str:
    """SHA-256 of the part, which is now the whole file as it is meant."""
    while True:
        pieces = transfer(file, url, part, patience)
        try:
            return check(part.path, file, target)
        except WrongFile as error:
            part.discard()
            # Pieces of two versions may have met; what came in one piece is what the mirror has.
            if not pieces:
                raise MirrorFailed(f"what it sends {error}") from None
            print(f"{file.name}: what came in pieces {error}; once more", file=sys.stderr)
