"""The embedded data set: animated and still Fluent emoji with their names.

The built files lie in ``resources/emoji`` (see the README there); they are made by
:mod:`polymatch.sources.emoji_build`. Nothing is computed here: groups and splits are fixed in them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from polymatch.errors import DataError
from polymatch.settings.stages import DataSettings
from polymatch.sources.info import SourceInfo

INFO = SourceInfo(
    name="emoji",
    title="Animated Fluent emoji with their Unicode names",
    licence="MIT AND Unicode-3.0",
    citation=(
        "Fluent Emoji, Microsoft Corporation (MIT), animated files packed by LobeHub; names and "
        "keywords from Unicode CLDR 48.2, emojibase 17.0 and emojilib 4.0"
    ),
    revision=(
        "fluent-emoji-anim-1..4 1.0.0; cldr-annotations-full 48.2.0; emojibase-data 17.0.0; "
        "emojilib 4.0.3"
    ),
    url="https://github.com/microsoft/fluentui-emoji-animated",
)

ITEM_COLUMNS = ("item_id", "path", "n_frames", "group_id", "subgroup", "split", "unicode")
CAPTION_COLUMNS = ("caption_id", "item_id", "text", "kind", "language")


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions of the data set; see :func:`read_tables`."""
    return read_tables(Path(data.root))


def read_tables(root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the items and the captions under ``root``, one row each, in the order of the files.

    ``items`` has the columns ``item_id, path`` (relative to ``root``), ``n_frames`` (int64),
    ``group_id, subgroup, split, unicode``; ``captions`` has ``caption_id, item_id, text, kind,
    language``. All but ``n_frames`` are strings; texts such as "null" stay texts.

    Raises:
        DataError: a file or a column is missing, or ``n_frames`` is not a whole number.
    """
    items = _table(root / "items.csv", ITEM_COLUMNS)
    captions = _table(root / "captions.csv", CAPTION_COLUMNS)
    counts = items["n_frames"]
    wrong = ~counts.str.fullmatch(r"[1-9]\d*")
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{root / 'items.csv'}: row {row + 2}: n_frames is {counts[row]!r}; "
            "a whole number from 1 is needed"
        )
    items["n_frames"] = counts.astype("int64")
    return items, captions


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file; restore it with git or build it by `make emoji`")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(
            f"{path}: missing column {', '.join(missing)}; restore the file with git "
            "or build it by `make emoji`"
        )
    return table[list(columns)]
