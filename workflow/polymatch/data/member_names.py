"""Names of an archive's members: which are wanted, and which are an attack or a mistake."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from polymatch.data.remote import Unpacked
from polymatch.errors import DataError


def wanted_name(name: str, unpacked: Unpacked, archive: Path) -> str | None:
    """The path below the folder that a member is written to; None for one that is not wanted.

    Raises:
        DataError: the name is absolute, has a drive's letter, a backslash or a control character,
            or climbs with ``..``, whether it is wanted or not.

    >>> wanted_name("./MSRVTT/videos/1.mp4", Unpacked("clips", 9, "MSRVTT", "*.mp4"), Path("a.zip"))
    'videos/1.mp4'
    """
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:|.*[\\\\\0-\x1f\x7f]", name):
        raise DataError(
            f"{archive}: member {name!r} would leave the folder or cannot be a name; nothing was "
            "unpacked"
        )
    path = PurePosixPath(*parts)
    if not path.is_relative_to(unpacked.strip):
        return None
    inside = str(path.relative_to(unpacked.strip))
    if inside == "." or (unpacked.keep and not fnmatchcase(inside, unpacked.keep)):
        return None
    return inside
