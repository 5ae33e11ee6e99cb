"""The two tables of a raw data set, row by row: items that have a file, and their sentences."""

from __future__ import annotations

from pathlib import PurePosixPath

import pandas as pd

from polymatch.errors import DataError

KIND = "sentence"


class RawTables:
    """Items and captions of a data set while it is read; captions are of kind `sentence`."""

    def __init__(self) -> None:
        self._items: dict[str, list[str]] = {
            name: [] for name in ("item_id", "path", "group_id", "split", "problem")
        }
        self._captions: dict[str, list[str]] = {
            name: [] for name in ("caption_id", "item_id", "text", "problem")
        }

    def add_item(
        self, item_id: str, path: str, split: str, group: str, where: str, problem: str = ""
    ) -> None:
        """An item whose file is ``path``, below the root; DataError if it would be elsewhere."""
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise DataError(
                f"{where}: its file would be {path!r}, outside of `data.root`; correct the name"
            )
        for name, value in zip(self._items, (item_id, path, group, split, problem), strict=True):
            self._items[name].append(value)

    def add_caption(
        self, caption_id: str, item_id: str, text: str, where: str, problem: str = ""
    ) -> None:
        """A sentence as it is in the file; one without words is a bad row."""
        if not problem and not text.strip():
            problem = f"{where}: sentence {caption_id!r} is empty; write it or take it out"
        for name, value in zip(self._captions, (caption_id, item_id, text, problem), strict=True):
            self._captions[name].append(value)

    def frames(self, n_frames: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Items and captions, of whose files ``n_frames`` are read each."""
        items = pd.DataFrame(self._items, dtype="str").assign(n_frames=n_frames)
        captions = pd.DataFrame(self._captions, dtype="str")
        return items, captions.assign(kind=KIND, language="en")
