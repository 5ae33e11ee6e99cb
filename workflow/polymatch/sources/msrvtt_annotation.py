"""MSR-VTT's annotation: clips, the videos that they are cut from, and their sentences.

One file (``MSRVTT_data.json``, as CLIP4Clip packs it) or the two of the release
(``train_val_videodatainfo.json`` and ``test_videodatainfo.json``), in one format: ``videos`` with
``video_id`` and, mostly, ``split`` and ``url``, and ``sentences`` with ``video_id``, ``sen_id`` and
``caption``. 10,000 clips are cut from 7,180 videos of YouTube; clips with one ``url`` are of one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from polymatch.errors import DataError
from polymatch.sources.raw_files import Ids, found, identifier, records, text

ONE_FILE = ("msrvtt_data/MSRVTT_data.json", "MSRVTT_data.json", "MSR_VTT.json")
RELEASE = ("train_val_videodatainfo.json", "test_videodatainfo.json")
SPLITS = {"train": "train", "validate": "val", "val": "val", "test": "test"}


class Sentence(NamedTuple):
    """A sentence, its id and where it is; ``problem`` says what is wrong with it."""

    caption_id: str
    text: str
    where: str
    problem: str = ""


class Clip(NamedTuple):
    """A clip: where it is said to be, its official split or nothing, the video it is cut from."""

    where: str
    split: str
    source: str


@dataclass
class Annotation:
    """What the files say.

    Attributes:
        paths: the files.
        clips: by id, in their order.
        sentences: by clip's id, in their order; also of ids that are no clips.
    """

    paths: list[Path]
    clips: dict[str, Clip] = field(default_factory=dict)
    sentences: dict[str, list[Sentence]] = field(default_factory=dict)

    def of(self, clip: str, which: str) -> list[Sentence]:
        """Sentences of a clip: ``all``, or the first for ``one``."""
        own = self.sentences.get(clip, [])
        return own if which == "all" else own[:1]

    def strangers(self) -> list[tuple[str, Sentence]]:
        """Sentences of what is no clip, with its id."""
        return [
            (
                clip,
                sentence._replace(
                    problem=f"{sentence.where}: clip {clip!r} is none of the "
                    "`videos`; take the sentence out"
                ),
            )
            for clip, own in self.sentences.items()
            if clip not in self.clips
            for sentence in own
        ]


def annotation_files(root: Path) -> list[Path]:
    """The file or the two files of the annotation.

    Raises:
        DataError: neither is there, or one of the two is missing.
    """
    if any((root / name).is_file() for name in RELEASE) and not any(
        (root / name).is_file() for name in ONE_FILE
    ):
        return [
            found(root, name, part_of="the release of MSR-VTT, with the other") for name in RELEASE
        ]
    return [found(root, *ONE_FILE, *RELEASE, part_of="msrvtt_data.zip")]


def read_annotation(root: Path) -> Annotation:
    """Read the annotation below ``root``.

    Raises:
        DataError: a file is missing, broken or not of this form, a clip's id or a sentence's comes
            twice, or a clip's cannot be the name of a file.
    """
    annotation = Annotation(annotation_files(root))
    clip_ids, caption_ids = Ids("clip"), Ids("sen_id")
    for path in annotation.paths:
        for where, record in records(path, "videos"):
            clip = clip_ids.add(text(record, "video_id", where), where)
            if not re.fullmatch(r"[A-Za-z0-9_-]+", clip):
                raise DataError(
                    f"{where}: video_id {clip!r} is not the name of a file; letters, digits, _ "
                    "and - are allowed"
                )
            split = text(record, "split", where) if "split" in record else ""
            source = text(record, "url", where) if "url" in record else ""
            annotation.clips[clip] = Clip(where, split, source or clip)
        for where, record in records(path, "sentences"):
            sentence = Sentence(
                caption_ids.add(identifier(record, "sen_id", where), where),
                text(record, "caption", where),
                where,
            )
            own = annotation.sentences.setdefault(text(record, "video_id", where), [])
            own.append(sentence)
    return annotation
