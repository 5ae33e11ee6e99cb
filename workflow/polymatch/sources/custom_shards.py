"""Tar files in WebDataset's layout: members of one key are one sample.

A key is a member's name up to the first dot behind the last ``/``. Of a sample are read its picture
or clip, and its captions: ``.txt``, ``.caption`` or ``.cap``, a caption a line, or else ``.json``
with ``caption`` (or ``text``, ``sentence``, ``title``; a text or a list). Other members are passed
over. A shard's folder (``train/00000.tar``) or a word of its name (``mine-train-000.tar``) decides
the split, where any does.

Readers need files, so pictures and clips are unpacked, once, into a folder for each shard, which
appears whole or not at all and is made again when the shard changed. A shard is read member by
member: memory holds the captions of one. Names that leave the folder, links and devices are
refused, and so are compressed shards and sparse members, whose size may be a lie.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import product
from pathlib import Path, PurePosixPath

from polymatch.errors import DataError
from polymatch.sources.custom_files import (
    SPLIT_NAMES,
    counts,
    folder_split,
    is_media,
    path_inside,
    refuse_files_beside_splits,
)
from polymatch.sources.custom_table import NAMES

CAPTIONS = ("txt", "caption", "cap", "json")

MARKER = ".unpacked.json"

_MOST_TEXT = 1 << 20
_KEY = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")


@dataclass
class Sample:
    """The members of one key in one shard that are read; texts by suffix."""

    shard: str
    key: str
    media: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    split: str = ""

    @property
    def where(self) -> str:
        """Shard and key, for messages."""
        return f"{self.shard}, {self.key}"

    def captions(self) -> list[str]:
        """The captions; an empty one where a text is there but holds none."""
        found = [suffix for suffix in CAPTIONS if suffix in self.texts]
        if not found:
            return []
        text = self.texts[found[0]]
        if found[0] == "json":
            return _json_captions(text, self.where)
        return [line.strip() for line in text.splitlines() if line.strip()] or [""]


def find_shards(root: Path, files: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The tar files that are meant, below ``root``.

    Raises:
        DataError: one that ``wanted`` names is not there.
    """
    there = [path for path in files if path.lower().endswith(".tar")]
    if wanted is None:
        return there
    found: dict[str, None] = {}
    for pattern in wanted:
        for name in expand_braces(pattern):
            fitting = [path for path in there if fnmatch(path, name)]
            if not fitting:
                raise DataError(f"{root / name}: no such tar file (data.custom.shards: {pattern})")
            found |= dict.fromkeys(fitting)
    return sorted(found)


def expand_braces(pattern: str) -> list[str]:
    """All names that a name with braces stands for; leading zeros are kept.

    >>> expand_braces("{train,val}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    choices: list[list[str]] = []
    end = 0
    for found in _RANGE.finditer(pattern):
        first, last, names = found.groups()
        choices.append([pattern[end : found.start()]])
        if names is None:
            choices.append([str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)])
        else:
            choices.append(names.split(","))
        end = found.end()
    return ["".join(parts) for parts in product(*choices, [pattern[end:]])]


def read_shards(root: Path, shards: Sequence[str], unpacked: Path) -> Iterator[Sample]:
    """The samples of shards, shard by shard; their pictures and clips lie under ``unpacked`` then.

    ``media`` are paths relative to ``unpacked``.

    Raises:
        DataError: a shard is broken, compressed, or has a member that is refused; shards are in
            folders of splits and beside them; or there is no room.
    """
    splits = {shard: folder_split(shard) or _name_split(shard) for shard in shards}
    refuse_files_beside_splits(splits, root)
    for shard in shards:
        # With its suffix, as `train.tar` may lie beside `train/000.tar`.
        for sample in _read(root / shard, unpacked / shard):
            sample.split = splits[shard]
            sample.media = [f"{shard}/{name}" for name in sample.media]
            yield sample


def _name_split(shard: str) -> str:
    words = re.split("[^a-z]+", PurePosixPath(shard).stem.lower())
    named = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 else ""


def _read(shard: Path, folder: Path) -> Iterable[Sample]:
    samples: dict[str, Sample] = {}
    stat = shard.stat()
    made_of = {"shard": shard.name, "bytes": stat.st_size, "time": stat.st_mtime_ns}
    marker = folder / MARKER
    done = marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) == made_of
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as partial:
        target = Path(partial) / "unpacked"
        target.mkdir()
        if not done and shutil.disk_usage(target).free < stat.st_size:
            raise DataError(
                f"{folder}: unpacking {shard} needs {stat.st_size} bytes, more than are free; set "
                "data.custom.unpacked to a disk with room"
            )
        try:
            with tarfile.open(shard, "r:") as tar:
                for member in tar:
                    _take(tar, member, shard, samples, None if done else target)
                    # Or it remembers every member of the shard.
                    tar.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, OSError, EOFError) as error:
            raise DataError(
                f"{shard}: not a whole, uncompressed tar file ({error}); copy it again, or "
                "decompress it"
            ) from error
        if not done:
            (target / MARKER).write_text(json.dumps(made_of), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            target.rename(folder)
    return samples.values()


def _take(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    shard: Path,
    samples: dict[str, Sample],
    target: Path | None,
) -> None:
    """Put a member where it belongs; ``target`` is None where it is unpacked already."""
    where = f"{shard}, member {member.name!r}"
    if member.isdir():
        return
    name = path_inside(member.name, where)
    if not counts(name):
        return
    if not member.isreg() or member.issparse():
        raise DataError(f"{where}: is a link, a device or sparse; only ordinary files are unpacked")
    parts = _KEY.fullmatch(name)
    if parts is None:
        return
    key, suffix = parts[1], parts[2].lower()
    media = is_media(f"x.{suffix}") and "." not in suffix
    if not media and suffix not in CAPTIONS:
        return
    sample = samples.setdefault(key, Sample(str(shard), key))
    if name in sample.media or (not media and suffix in sample.texts):
        raise DataError(f"{where}: is there twice; give every sample a key of its own")
    file = tar.extractfile(member)
    assert file is not None
    if not media:
        if member.size > _MOST_TEXT:
            raise DataError(f"{where}: has {member.size} bytes, too many for captions; is it one?")
        try:
            sample.texts[suffix] = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 ({error.reason}); save it as UTF-8") from None
        return
    sample.media.append(name)
    if target is not None:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            shutil.copyfileobj(file, out, 1 << 20)


def _json_captions(text: str, where: str) -> list[str]:
    try:
        about = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: its .json is not JSON ({error}); make the shard again") from None
    found = [about[name] for name in NAMES["caption"] if isinstance(about, dict) and name in about]
    captions = found[0] if found and found[0] is not None else []
    captions = captions if isinstance(captions, list) else [captions]
    if not all(isinstance(caption, str) for caption in captions):
        raise DataError(f"{where}: caption in its .json is not a text; make the shard again")
    return [caption.strip() for caption in captions]
