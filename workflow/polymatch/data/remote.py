"""Files that lie elsewhere: where each comes from, how large it is, and what it becomes.

A :class:`RemoteFile` says all that is known of a file before a byte of it is there. It is data and
no more: :mod:`polymatch.data.downloads` fetches it, :mod:`polymatch.data.archives` unpacks it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from polymatch.errors import ConfigError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Unpacked:
    """What an archive becomes.

    Attributes:
        folder: below ``data.root``; appears whole or not at all.
        max_bytes: declared size of what is written; more stops.
        strip: leading part of member names that is dropped; members without it are not written.
        keep: glob of the members that are wanted, after ``strip``, in which ``*`` stands for
            slashes too; others are not written.

    Raises:
        ConfigError: ``folder`` is absolute, empty or leaves its root, or no byte is declared.
    """

    folder: str
    max_bytes: int
    strip: str = ""
    keep: str | None = None

    def __post_init__(self) -> None:
        _require_below(self.folder, "unpacked.folder")
        if self.max_bytes < 1:
            raise ConfigError(
                f"{self.folder}: max_bytes is {self.max_bytes}; give the size in bytes"
            )


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be fetched, or else is put in its place by hand.

    Attributes:
        name: path below ``data.root``.
        urls: mirrors, tried in this order; with none the file can only be placed by hand.
        bytes: size, where known.
        sha256: 64 hexadecimal digits, where known; else recorded on first use.
        about: one line: what it is.
        licence: SPDX expression, or the terms' own name.
        unpacked: what the archive becomes, if it is one that is unpacked.

    Raises:
        ConfigError: the name leaves its root, a URL is of neither http nor https, the SHA-256 is
            none, or what is to be unpacked has no archive's name or lies in its own folder.
    """

    name: str
    urls: tuple[str, ...]
    bytes: int | None
    sha256: str | None
    about: str
    licence: str
    unpacked: Unpacked | None = None

    def __post_init__(self) -> None:
        _require_below(self.name, "name")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme not in SCHEMES or not parts.netloc:
                raise ConfigError(
                    f"{self.name}: {url} is not downloaded, only http and https are; "
                    "take it out of `urls` and put the file in place by hand"
                )
        if self.bytes is not None and self.bytes < 0:
            raise ConfigError(f"{self.name}: bytes is {self.bytes}; give its size, or null")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ConfigError(
                f"{self.name}: sha256 is {self.sha256!r}; give 64 digits of 0-9 and a-f, or null"
            )
        if self.unpacked and PurePosixPath(self.name).is_relative_to(self.unpacked.folder):
            raise ConfigError(
                f"{self.name}: lies in the folder that it becomes; give it another place"
            )
        if self.unpacked and not self.name.lower().endswith(ARCHIVES):
            raise ConfigError(
                f"{self.name}: not the name of an archive that can be unpacked; "
                f"these are: {', '.join(ARCHIVES)}"
            )

    @property
    def place(self) -> str:
        """What others read, below ``data.root``: the file, or the folder that it becomes.

        >>> RemoteFile("a.csv", (), None, None, "rows", "MIT").place
        'a.csv'
        >>> RemoteFile("a.zip", (), None, None, "", "MIT", Unpacked("clips", 9)).place
        'clips'
        """
        return self.unpacked.folder if self.unpacked else self.name

    def to_json(self) -> str:
        """One line of JSON, for a command line."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> RemoteFile:
        """Read what :meth:`to_json` wrote.

        Raises:
            ConfigError: not such JSON, or what it says is impossible.

        >>> one = RemoteFile("a.zip", ("https://x.org/a",), 3, None, "", "MIT", Unpacked("a", 9))
        >>> RemoteFile.from_json(one.to_json()) == one
        True
        """
        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the JSON"
            raise ConfigError(f"remote file: {where}: {first['msg']}") from None


@cache
def _adapter() -> TypeAdapter[RemoteFile]:
    return TypeAdapter(RemoteFile)


def _require_below(path: str, what: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in path:
        raise ConfigError(f"{what}: {path!r} is no path below data.root; give one without `..`")
