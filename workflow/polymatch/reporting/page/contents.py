"""Everything that the page shows, as one value for JSON.

Parts for which there is nothing (a configuration without sweeps, data without pictures) are left
out, and the page then has no such section. Ids and texts are what the data have; the scripts never
make markup of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polymatch.data import read_thumbnail
from polymatch.data.captions import Queries
from polymatch.data.splits import SplitReader, matched_rows
from polymatch.data.tables import read_table
from polymatch.reporting.page.asked import asked, rows_shown
from polymatch.reporting.page.board import Key, RowRanks, comparable_ranks, keys_of, row_key
from polymatch.reporting.page.credits import provenance
from polymatch.reporting.page.errors import errors_of
from polymatch.reporting.page.packed import packed
from polymatch.reporting.page.pairs import pairs_of, queries_in
from polymatch.reporting.page.runs import of_models, of_rows
from polymatch.reporting.page.spaces import spaces_of
from polymatch.reporting.page.studies import studies
from polymatch.reporting.page.thumbnails import picture_paths, thumbnails
from polymatch.reporting.summary import run_directory
from polymatch.settings.config import Config
from polymatch.sources import protocol_of

LONGEST = 160
"""Letters of a text on the page; the rest of a longer one is left out."""
_CAPTIONS_OF_AN_ITEM = 3


@dataclass(frozen=True)
class PageFiles:
    """Where what the page shows lies.

    Attributes:
        results: the folder of all results, which holds ``leaderboard.csv``.
        space: the folder of the data set and encoder, which holds ``runs/``.
        items: the store whose ids say which items are in the gallery.
        beside: tables that were asked for apart from the main job: of sweeps, studies and sizes.
    """

    results: Path
    space: Path
    items: Path
    beside: Sequence[Path] = ()


def page_contents(config: Config, files: PageFiles) -> dict[str, Any]:
    """Gather what the page shows.

    Raises:
        DataError: a table or a picture is missing or broken; names the file.
    """
    data = files.space.parent
    splits = SplitReader.open(
        config.data, data / "manifest.parquet", data / "captions.parquet", files.items, Path()
    )
    items, queries = splits.gallery("test", config.data.test_captions)
    board = read_table(files.results / "leaderboard.csv", "leaderboard")
    summary = read_table(files.results / "summary.csv", "summary")
    contents: dict[str, Any] = {
        "title": f"{config.data.name}, {config.encoder.name}",
        "data": {
            "name": config.data.name,
            "encoder": config.encoder.name,
            "protocol": protocol_of(config.data),
            "items": len(items),
            "captions": len(queries.texts),
            "seeds": config.seeds,
            "splits": splits.manifest["split"].value_counts().to_dict(),
        },
        "baseline": row_key((config.baseline, config.model_entry(config.baseline).scored_by[0])),
        "board": packed(board),
        "models": of_models(config, files.space),
        "rows": of_rows(config, files.space, summary, files.results / "figures"),
        "spaces": spaces_of(config, files.space),
        "errors": errors_of(config, files.space),
        **studies(config, files.results, files.space, files.beside),
        "provenance": provenance(config, files.space),
    }
    rows = comparable_ranks(config, files.space)
    shown: dict[str, list[int]] = {"items": [], "captions": []}
    if len(rows) > 1:
        contents["pairs"] = pairs_of(rows, config.evaluation, config.report.changed)
        shown["captions"] += sorted(queries_in(contents["pairs"], "t2v"))
        shown["items"] += sorted(queries_in(contents["pairs"], "v2t"))
    if config.report.queries:
        matrices = matrices_of(config, files.space, rows)
        matches = matched_rows(items, queries.positives)
        found = asked(rows, matrices, matches, config.report.queries, config.report.seed)
        contents["asked"] = found
        for side, again in rows_shown(found).items():
            shown[side] += again
    contents |= _named(shown, items, queries)
    paths = picture_paths(splits.manifest, Path(config.data.root))
    contents["pictures"] = thumbnails(
        shown["items"],
        partial(_picture, [paths.get(item) for item in items], config.report.thumbnail),
        config.report.pictures_mb * 1e6,
    )
    return contents


def matrices_of(config: Config, space: Path, rows: Mapping[Key, RowRanks]) -> dict[Key, Path]:
    """Similarity of the first run of each row; a divided one is nowhere as a whole."""
    return {
        key: run_directory(space, config.runs_of(key[0])[0]) / f"{key[1]}.npy"
        for key in keys_of(config)
        if key in rows and not config.divided(key[0])
    }


def _picture(paths: Sequence[Path | None], size: int, row: int) -> np.ndarray | None:
    path = paths[row]
    return None if path is None else read_thumbnail(path, size)


def _named(
    shown: Mapping[str, Sequence[int]], items: Sequence[str], queries: Queries
) -> dict[str, Any]:
    """Texts, ids and captions of the rows that are shown, by row.

    An item's right answers are captions too, so the captions of items are said with the item.
    """
    said: dict[str, list[str]] = {}
    for text, named in zip(queries.texts, queries.positives, strict=True):
        for item in named:
            said.setdefault(item, []).append(text)
    return {
        "captions": {
            row: [str(queries.caption_ids[row]), shortened(queries.texts[row])]
            for row in sorted(set(shown["captions"]))
        },
        "items": {
            row: [
                str(items[row]),
                len(said[items[row]]),
                [shortened(text) for text in said[items[row]][:_CAPTIONS_OF_AN_ITEM]],
            ]
            for row in sorted(set(shown["items"]))
        },
    }


def shortened(text: str) -> str:
    """A text of at most :data:`LONGEST` letters."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip()} …"
