"""Files and captions of one's own: a table, a folder, Flickr8k's files or WebDataset's shards.

``data.root`` holds them, in one of the layouts of :mod:`.custom_table`, :mod:`.custom_folder`,
:mod:`.custom_flickr` and :mod:`.custom_shards`; :mod:`.custom_layouts` finds out which. An item's
id is its file's path without suffix (the key in a shard, the file's name in Flickr8k), or the
table's ``id``. A picture has the frames that are in it; of a clip ``data.frames`` are sampled.
Splits that are not given are drawn (:mod:`.custom_splits`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from polymatch.errors import ConfigError
from polymatch.settings.custom import CustomSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources.custom_files import folder_split, path_inside, without_suffix
from polymatch.sources.custom_flickr import read_flickr
from polymatch.sources.custom_folder import read_folder
from polymatch.sources.custom_layouts import Found, recognise
from polymatch.sources.custom_rows import Row, tables
from polymatch.sources.custom_shards import read_shards
from polymatch.sources.custom_table import read_cells
from polymatch.sources.info import SourceInfo

INFO = SourceInfo(
    name="custom",
    title="Files and captions of one's own",
    licence="LicenseRef-as-the-data-set",
    citation="the data set's own",
    revision="as given",
    url="https://huggingface.co/docs/datasets/image_dataset",
)


def check(data: DataSettings) -> None:
    """Find the layout, so that a folder in which there is none stops before any job.

    Raises:
        DataError: see :func:`polymatch.sources.custom_layouts.recognise`.
    """
    recognise(Path(data.root), data.custom or CustomSettings())


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions, in the order of their ids.

    The tables have a column ``problem``: what is wrong with a file or a caption.

    Raises:
        ConfigError: shards would be unpacked into the data set's own folder.
        DataError: no layout is recognised, a table or shard is broken, ids or splits contradict
            each other, or there are too few items to draw splits from.
    """
    settings = data.custom or CustomSettings()
    found = recognise(Path(data.root), settings)
    return tables(_rows(found, data, settings), data, settings.language, settings.test_share)


def _rows(found: Found, data: DataSettings, settings: CustomSettings) -> Iterator[Row]:
    root = Path(data.root)
    if found.layout == "table":
        return _table(root, found.sources[0], settings)
    if found.layout == "folder":
        return read_folder(root, found.files, settings)
    if found.layout == "flickr8k":
        return read_flickr(root, found.sources[0], found.files, settings)
    return _samples(data, found.sources, settings)


def _table(root: Path, table: str, settings: CustomSettings) -> Iterator[Row]:
    start = f"{path_inside(settings.files, 'data.custom.files')}/" if settings.files else ""
    splits: dict[str, str] = {}
    for cells in read_cells(root / table, settings.columns):
        where = f"{root / table}, line {cells.line}"
        path = path_inside(cells.file, where)
        splits[path] = cells.split or folder_split(path)
        for text in cells.captions:
            yield Row(
                item_id=cells.id or without_suffix(path),
                path=start + path,
                text=text,
                where=where,
                split=splits[path],
                group=cells.group,
                kind=cells.kind,
                language=cells.language,
                caption_id=cells.caption_id,
            )


def _samples(data: DataSettings, shards: list[str], settings: CustomSettings) -> Iterator[Row]:
    root = Path(data.root)
    unpacked = Path(settings.unpacked or f"results/{data.name}/unpacked")
    if unpacked.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"data.custom.unpacked: {unpacked} is in data.root ({root}), where its pictures would "
            "be taken for the data set's; name a folder elsewhere"
        )
    samples = list(read_shards(root, shards, unpacked))
    # The way from the one to the other with links resolved, as the system goes it.
    way = os.path.relpath(unpacked.resolve(), root.resolve())
    repeated = any(times > 1 for times in Counter(sample.key for sample in samples).values())
    for sample in samples:
        item = f"{without_suffix(os.path.relpath(sample.shard, root))}/{sample.key}"
        item = item if repeated else sample.key
        texts = sample.captions()
        if not sample.media:
            problem = f"{sample.where}: has captions, but no picture and no clip"
            yield from (Row(item, "", text, sample.where, problem=problem) for text in texts)
        described: list[str | None] = [*texts] or [None]
        for name in sample.media:
            for text in described:
                yield Row(item, f"{way}/{name}", text, sample.where, sample.split)
