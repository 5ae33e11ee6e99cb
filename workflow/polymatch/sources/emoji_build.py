"""Build the embedded emoji data set: pictures, names, keywords, groups and splits.

The same archives give the same bytes with the same Pillow and libwebp (the README of the data set
names those of the committed files); the tables depend on the archives alone.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from polymatch.errors import DataError
from polymatch.files import written_atomically
from polymatch.sources.emoji import CAPTION_COLUMNS, ITEM_COLUMNS
from polymatch.sources.emoji_archives import PINNED, Upstream, collections, fetch, pictures
from polymatch.sources.emoji_captions import CodePoints, Collections, bare, keywords, names
from polymatch.sources.emoji_groups import groups, links, splits
from polymatch.sources.emoji_pictures import encoded, sampled_frames

_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAGS = 9  # emojibase's number of the Unicode group


@dataclass(frozen=True)
class Emoji:
    """One emoji that is kept.

    Attributes:
        item_id: its code points as in the upstream file name: lower-case hex joined by ``-``.
        code_points: the same without variation selectors.
        subgroup: its Unicode subgroup.
    """

    item_id: str
    code_points: CodePoints
    subgroup: str

    @property
    def text(self) -> str:
        """The emoji itself."""
        return "".join(chr(int(part, 16)) for part in self.item_id.split("-"))


def build(downloads: Path, out: Path, upstream: Upstream = PINNED) -> None:
    """Fetch what is missing in ``downloads`` and write the data set to ``out``.

    Raises:
        DataError: an archive cannot be fetched, is not the pinned one, or lacks something.
    """
    _say(f"archives in {downloads}")
    fetch(downloads, upstream)
    tables, subgroups = collections(downloads, upstream)
    stems: list[str] = []
    counts: dict[str, int] = {}
    # pictures land beside the old ones, which stay until the new ones are whole
    partial = out / f".images.{os.getpid()}.partial"
    partial.mkdir(parents=True)
    try:
        for number, archive in enumerate(upstream.pictures, start=1):
            _say(f"pictures {number}/{len(upstream.pictures)}")
            here = [(stem, data) for stem, data in pictures(downloads / archive.file_name)]
            stems += [stem for stem, _ in here]
            wanted = {emoji.item_id for emoji in kept([s for s, _ in here], tables, subgroups)}
            counts |= _write_pictures([(s, d) for s, d in here if s in wanted], partial)
        emoji = kept(stems, tables, subgroups)
        for item_id in set(counts) - {one.item_id for one in emoji}:
            (partial / f"{item_id}.webp").unlink()
        _say(f"tables of {len(emoji)} items")
        items, captions = rows(emoji, counts, tables)
        shutil.rmtree(out / "images", ignore_errors=True)
        partial.rename(out / "images")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    write_table(out / "items.csv", ITEM_COLUMNS, items)
    write_table(out / "captions.csv", CAPTION_COLUMNS, captions)
    _say(f"{len(items)} items and {len(captions)} captions in {out}")


def kept(
    stems: Iterable[str], tables: Collections, subgroups: Mapping[int, str]
) -> tuple[Emoji, ...]:
    """Return the emoji to keep of all upstream file names: no skin tones, no flags, each once.

    Some emoji come twice, with and without a variation selector or leading zeros; the file
    named as in emojibase stays, else the one with the longer name.
    """
    records = {bare(record["hexcode"]): record for record in tables.emojibase}
    best: dict[CodePoints, str] = {}
    for stem in sorted(stems):
        if "_" in stem:  # flags of regions, spelt "e0067_e0062_..."
            continue
        code_points = bare(stem)
        if set(code_points) & set(_SKIN_TONES):
            continue
        record = records.get(code_points)
        if record is None:
            raise DataError(f"{stem}.webp: not in emojibase; is it an emoji of a newer Unicode?")
        if record.get("group", _FLAGS) == _FLAGS:  # single regional letters have no group
            continue
        hexcode = record["hexcode"].lower()
        ranked = [(s == hexcode, len(s), s) for s in (stem, best.get(code_points, stem))]
        best[code_points] = max(ranked)[-1]
    chosen = [
        Emoji(stem, code_points, subgroups[records[code_points]["subgroup"]])
        for code_points, stem in best.items()
    ]
    return tuple(sorted(chosen, key=lambda one: one.item_id))


def rows(
    emoji: Sequence[Emoji], frames_of: Mapping[str, int], tables: Collections
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the rows of ``items.csv`` and ``captions.csv``, in the order of item_id."""
    all_names = names(tables)
    names_of = {one.code_points: all_names[one.code_points] for one in emoji}
    keywords_of = keywords(tables, names_of)
    group_of = groups(
        {
            one.item_id: links(one.code_points, one.subgroup, names_of[one.code_points])
            for one in emoji
        }
    )
    split_of = splits(group_of)
    items: list[tuple[str, ...]] = []
    captions: list[tuple[str, ...]] = []
    for one in emoji:
        key, group = one.item_id, group_of[one.item_id]
        path = f"images/{key}.webp"
        items.append(
            (key, path, str(frames_of[key]), group, one.subgroup, split_of[group], one.text)
        )
        texts = {"name": names_of[one.code_points], "keyword": keywords_of.get(one.code_points, ())}
        captions += [
            (f"{key}.{kind}.{number}", key, text, kind, "en")
            for kind in ("name", "keyword")
            for number, text in enumerate(texts[kind])
        ]
    return items, captions


def write_table(path: Path, columns: Sequence[str], table: Iterable[Sequence[str]]) -> None:
    """Write a UTF-8 CSV with LF line ends, whole or not at all."""
    with (
        written_atomically(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(table)


def _write_pictures(upstream: Sequence[tuple[str, bytes]], folder: Path) -> dict[str, int]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pieces = [(stem, data, folder / f"{stem}.webp") for stem, data in upstream]
        return dict(pool.map(_write_picture, pieces, chunksize=8))


def _write_picture(piece: tuple[str, bytes, Path]) -> tuple[str, int]:
    stem, upstream, path = piece
    frames = sampled_frames(upstream, f"{stem}.webp")
    path.write_bytes(encoded(frames))
    return stem, len(frames)


def _say(what: str) -> None:
    print(f"emoji: {what}", file=sys.stderr, flush=True)
