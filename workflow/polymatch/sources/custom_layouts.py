"""Which layout files of one's own are in, found by what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from polymatch.errors import DataError
from polymatch.settings.custom import CustomSettings, Layout
from polymatch.sources.custom_files import is_media, walk
from polymatch.sources.custom_flickr import TOKENS, token_files
from polymatch.sources.custom_folder import caption_files
from polymatch.sources.custom_folder import tables as folder_tables
from polymatch.sources.custom_shards import find_shards
from polymatch.sources.custom_table import SUFFIXES

LOOKED_FOR = (
    "looked for: a table of files and captions (.csv, .tsv, .jsonl) right in it; pictures or clips "
    "with a .txt beside each, or metadata.csv or metadata.jsonl; "
    f"{', '.join(TOKENS[:2])}, Kaggle's captions.txt or results.csv; .tar files of WebDataset"
)


@dataclass(frozen=True)
class Found:
    """A layout and what it is read from.

    Attributes:
        layout: which.
        files: everything below the root.
        sources: the table, the token file, the shards, or what stands for a folder.
    """

    layout: Layout
    files: list[str]
    sources: list[str]


def recognise(root: Path, settings: CustomSettings) -> Found:
    """Find out in which layout the files below ``root`` are.

    Raises:
        DataError: there is no such folder, nothing in it is recognised, it fits two layouts, or the
            one that is set is not there.
    """
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder (data.root); put pictures or clips with captions "
            f"there; {LOOKED_FOR}"
        )
    files = walk(root)
    if settings.table is not None:
        return _named(root, files, settings)
    fitting = _fitting(root, files, settings)
    wanted = settings.layout
    if wanted != "auto":
        if not fitting[wanted]:
            raise DataError(
                f"{root}: nothing of layout {wanted!r} (data.custom.layout) is there; {LOOKED_FOR}"
            )
        chosen: Layout = wanted
    else:
        found: list[Layout] = [layout for layout, sources in fitting.items() if sources]
        if not found:
            raise DataError(f"{root}: holds nothing that is recognised; {LOOKED_FOR}")
        if len(found) > 1:
            first, second = found[:2]
            raise DataError(
                f"{root}: is both {first!r} ({fitting[first][0]}) and {second!r} "
                f"({fitting[second][0]}); say which with data.custom.layout"
            )
        chosen = found[0]
    sources = fitting[chosen]
    if chosen in ("table", "flickr8k") and len(sources) > 1:
        raise DataError(
            f"{root}: {sources[0]} and {sources[1]} could both hold the captions; say which with "
            "data.custom.table"
        )
    return Found(chosen, files, sources)


def _named(root: Path, files: list[str], settings: CustomSettings) -> Found:
    table = PurePosixPath(str(settings.table)).as_posix()
    if not (root / table).is_file():
        raise DataError(f"{root / table}: no such file (data.custom.table)")
    layout = settings.layout
    if layout not in ("table", "flickr8k"):
        tabular = PurePosixPath(table).suffix.lower() in SUFFIXES
        layout = "flickr8k" if token_files(root, [table]) or not tabular else "table"
    return Found(layout, files, [table])


def _fitting(root: Path, files: Sequence[str], settings: CustomSettings) -> dict[Layout, list[str]]:
    tokens, in_folder = token_files(root, files), folder_tables(files)
    tables = [
        path
        for path in files
        if "/" not in path
        and PurePosixPath(path).suffix.lower() in SUFFIXES
        and path not in (*tokens, *in_folder)
    ]
    beside = [path for path in caption_files(files) if path not in tokens]
    any_media = any(map(is_media, files))
    return {
        "table": tables,
        "folder": in_folder + beside if any_media else [],
        "flickr8k": tokens,
        "webdataset": find_shards(root, files, settings.shards),
    }
