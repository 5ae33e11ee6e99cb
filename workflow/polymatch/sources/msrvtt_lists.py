"""MSR-VTT's lists of clips: 1K-A's test, its two lists of train, and the official splits.

1K-A is of Yu et al., A Joint Sequence Fusion Model for Video Question Answering and Retrieval,
ECCV 2018; the list of 9,000 train clips is of Gabeur et al., Multi-modal Transformer for Video
Retrieval, ECCV 2020, that of 7,010 the official train and val. Each is known by its number of clips
and the SHA-256 of its sorted ids, a line each; the files are those that CLIP4Clip packs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from polymatch.errors import DataError
from polymatch.sources.msrvtt_annotation import Sentence
from polymatch.sources.raw_files import found, rows

ARCHIVE = "msrvtt_data.zip"
TEST_COLUMNS = ("key", "vid_key", "video_id", "sentence")


class Pin(NamedTuple):
    """What a list is known by: its name, the number of clips, the SHA-256 of the sorted ids."""

    name: str
    clips: int
    sha256: str


PINS = {
    "test": Pin(
        "1K-A's test", 1000, "49a09fb68f7ec52b3b9bbb7e856ffbd3f00233976ed435fded658309c3cd491a"
    ),
    "9k": Pin(
        "1K-A's train (9k)",
        9000,
        "7dce4e3e1af1eded0cb9edbf4a30dc6ad15b9ec201c7a6b4b2860d39280de4d7",
    ),
    "7k": Pin(
        "1K-A's train (7k)",
        7010,
        "81ea9208d6c64212cd45f7e03774a8c82d45afe7c57efdb3e7d1a630f0b34700",
    ),
    "official train": Pin(
        "the official train",
        6513,
        "5cac8e8a55a87350bd35c6c28695e9fc6d8561a463769f9273894704d8ef0ebd",
    ),
    "official val": Pin(
        "the official val", 497, "be5b1994f643740b80796c392d7b472deed45ddce69ce13fee87609ce303ab3f"
    ),
    "official test": Pin(
        "the official test",
        2990,
        "916e9b2dd9a4518131b76a1e9b4f47fd12847f50356ebd8413bcd555abe2bca8",
    ),
}


def test_list(root: Path) -> Path:
    """The file of 1K-A's test; DataError if it is missing."""
    return _found(root, "MSRVTT_JSFUSION_test.csv")


def train_list(root: Path, train: str) -> Path:
    """The file of 1K-A's train, ``9k`` or ``7k``; DataError if it is missing."""
    return _found(root, f"MSRVTT_train.{train}.csv")


def read_test_list(path: Path) -> dict[str, Sentence]:
    """The clips of 1K-A's test, each with its sentence, whose id is its ``key``.

    Raises:
        DataError: the file is broken, an id is empty or comes twice, or a clip has several
            sentences.
    """
    asked: dict[str, Sentence] = {}
    keys: dict[str, str] = {}
    for where, row in rows(path, TEST_COLUMNS):
        clip, key = _filled(row, "video_id", where), _filled(row, "key", where)
        if clip in asked:
            raise DataError(
                f"{where}: {clip!r} has a sentence already ({asked[clip].where}); 1K-A asks for "
                "one a clip, and more give figures that compare with nothing: take the file from "
                f"{ARCHIVE}, or set `data.msrvtt.split` to 'official'"
            )
        if keys.setdefault(key, where) is not where:
            raise DataError(f"{where}: key {key!r} is there already ({keys[key]}); correct one")
        asked[clip] = Sentence(key, row["sentence"], where)
    return asked


def read_train_list(path: Path) -> dict[str, str]:
    """The clips of a list of train, each with its place; DataError if one comes twice."""
    listed: dict[str, str] = {}
    for where, row in rows(path, ("video_id",)):
        clip = _filled(row, "video_id", where)
        if listed.setdefault(clip, where) is not where:
            raise DataError(
                f"{where}: {clip!r} is there already ({listed[clip]}); take one of the two out"
            )
    return listed


def refuse_leak(test: Mapping[str, Sentence], train: Mapping[str, str]) -> None:
    """Refuse lists that have a clip in common; DataError names the first and counts them."""
    both = [clip for clip in train if clip in test]
    if both:
        raise DataError(
            f"{train[both[0]]}: {both[0]!r} is in the list of test too ({test[both[0]].where}), "
            f"as {len(both)} of {len(train)} are; what is tested must not be trained on, so take "
            f"the lists from {ARCHIVE}"
        )


def refuse_other_clips(places: Mapping[str, str], path: Path, pin: Pin, remedy: str = "") -> None:
    """Refuse clips that are not those of ``pin``.

    Args:
        places: the place of each clip, by its id.
        path: the file that they are from.

    Raises:
        DataError: says in what they differ, and what to do.
    """
    remedy = remedy or f"take the file from {ARCHIVE}, or set `data.msrvtt.lists` to 'own'"
    for clip, where in places.items():
        if not re.fullmatch(r"video([1-9]\d{0,3}|0)", clip):
            raise DataError(
                f"{where}: {clip!r} is no clip of MSR-VTT, which has video0 to video9999; {remedy}"
            )
    found_sha256 = sha256_of(places)
    if found_sha256 == pin.sha256:
        return
    other = [known.name for known in PINS.values() if known.sha256 == found_sha256]
    if other:
        raise DataError(f"{path}: is the list of {other[0]}, not of {pin.name}; {remedy}")
    if len(places) != pin.clips:
        raise DataError(
            f"{path}: {len(places):,} clips, but {pin.name} has {pin.clips:,}; {remedy}"
        )
    raise DataError(
        f"{path}: {pin.clips:,} clips, but not those of {pin.name}, whose sorted ids have SHA-256 "
        f"{pin.sha256[:12]}..., not {found_sha256[:12]}...; {remedy}"
    )


def sha256_of(clips: Iterable[str]) -> str:
    """SHA-256 of the sorted ids, a line each, in hexadecimal digits."""
    return hashlib.sha256("\n".join(sorted(clips)).encode()).hexdigest()


def _found(root: Path, name: str) -> Path:
    return found(root, f"msrvtt_data/{name}", name, part_of=ARCHIVE)


def _filled(row: Mapping[str, str], column: str, where: str) -> str:
    if not row[column].strip():
        raise DataError(f"{where}: `{column}` is empty; fill it in or take the row out")
    return row[column].strip()
