"""Caption files of Dual Encoding: ``NAME.caption.txt``, a caption a line, its id in front.

A line is ``VIDEO#NUMBER words``, or ``VIDEO#enc#NUMBER words``: what stands before the first ``#``
is the video. Lines are UTF-8; white space parts the id from the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from polymatch.errors import DataError
from polymatch.sources.given_arrays import read_lines


@dataclass(frozen=True)
class CaptionFile:
    """The captions of one split.

    Attributes:
        split: train, val or test.
        path: the file.
        caption_ids, texts: [M], line by line; a text is empty where the line has none.
    """

    split: str
    path: Path
    caption_ids: list[str]
    texts: list[str]

    @cached_property
    def owners(self) -> list[str]:
        """[M]: the video that each caption is of."""
        return [caption_id.partition("#")[0] for caption_id in self.caption_ids]

    @cached_property
    def videos(self) -> list[str]:
        """[N]: those videos, in order of first appearance."""
        return list(dict.fromkeys(self.owners))

    def problems(self) -> list[str]:
        """[M]: what is wrong with each caption, or nothing."""
        return [
            "" if text else f"line {row + 1} of {self.path} has no words behind the id; write them"
            for row, text in enumerate(self.texts)
        ]


def read_caption_file(path: Path, split: str) -> CaptionFile:
    """Read the captions of one split.

    Raises:
        DataError: the file is missing, empty or not UTF-8, a line is empty or does not begin with
            an id, or an id is there twice.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such file (data.bigfile.{split}); a caption file has lines like "
            "`video0#3 a man sings`"
        )
    lines: dict[str, int] = {}
    texts = []
    for number, line in enumerate(read_lines(path), start=1):
        caption_id, *words = line.split(None, 1) or [""]
        if not caption_id:
            raise DataError(f"{path}: line {number} is empty; take it out or write a caption")
        video, mark, rest = caption_id.partition("#")
        if not (video and mark and rest):
            raise DataError(
                f"{path}: line {number} begins with {caption_id!r}, which is no caption's id; it "
                "begins with the video's, like video0#3"
            )
        if lines.setdefault(caption_id, number) != number:
            raise DataError(
                f"{path}: line {number}: {caption_id!r} is on line {lines[caption_id]} already; "
                "give every caption an id of its own"
            )
        texts.append("".join(words))
    if not lines:
        raise DataError(f"{path}: is empty; every split needs captions")
    return CaptionFile(split, path, list(lines), texts)
