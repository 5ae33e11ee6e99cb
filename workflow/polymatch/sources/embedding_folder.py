"""One folder of embeddings made elsewhere, in either layout that the published code knows.

====================  ========================  =====================
\\                     NumPy                     torch
====================  ========================  =====================
videos [N, D]         ``video_emb.npy``         ``emb_video.pt``
texts [M, D']         ``text_emb.npy``          ``emb_text.pt``
ids of the videos     ``video_ids.json``        the same, or none
====================  ========================  =====================

Both may have ``text_ids.json`` (the video id of every text; without it text i is about video i) and
``texts.json`` (the words). Videos without ids are numbered: ``metadata.json`` of the published code
names only the first and the last ten. Arrays are mapped and read in blocks as float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polymatch.errors import DataError
from polymatch.sources.given_arrays import Rows, checked_list, read_json, read_list, read_rows

LAYOUTS = (("video_emb.npy", "text_emb.npy"), ("emb_video.pt", "emb_text.pt"))
OPTIONAL = ("video_ids.json", "metadata.json", "text_ids.json", "texts.json")
NEEDED = (
    "a folder of embeddings holds video_emb.npy, text_emb.npy and video_ids.json, "
    "or emb_video.pt and emb_text.pt"
)


@dataclass(frozen=True)
class EmbeddingFolder:
    """What a folder holds, checked but for the numbers themselves.

    Attributes:
        split: train, val or test.
        items, captions: the embeddings of N videos and M texts.
        item_ids: [N]; ``numbered`` if the folder had none.
        owners: [M], the id of each text's video.
        texts: [M], the words, or each caption's own id where they are not given.
    """

    split: str
    items: Rows
    captions: Rows
    item_ids: list[str]
    numbered: bool
    owners: list[str]
    texts: list[str]

    @property
    def caption_ids(self) -> list[str]:
        """[M]: texts have no ids of their own, so they are numbered."""
        return [f"{self.split}-text-{row:07d}" for row in range(len(self.captions))]


def folder_files(folder: Path, split: str) -> list[Path]:
    """The files of a folder that are read: video and text first, then those that may be missing.

    Raises:
        DataError: no such folder, or a file that it needs is missing.
    """
    where = f"data.folders.{split}"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder ({where}); {NEEDED}")
    found = [pair for pair in LAYOUTS if any((folder / name).is_file() for name in pair)]
    if not found:
        raise DataError(f"{folder}: no embeddings ({where}); {NEEDED}")
    if len(found) > 1:
        raise DataError(
            f"{folder}: files of both layouts ({where}); keep one, since which of them counts "
            f"cannot be known: {NEEDED}"
        )
    needed = [*found[0], *(["video_ids.json"] if found[0] == LAYOUTS[0] else [])]
    for name in needed:
        if not (folder / name).is_file():
            raise DataError(f"{folder / name}: no such file ({where}); {NEEDED}")
    optional = [name for name in OPTIONAL if name not in needed and (folder / name).is_file()]
    return [folder / name for name in (*needed, *optional)]


def open_folder(folder: Path, split: str) -> EmbeddingFolder:
    """Open a folder's arrays and read what is beside them.

    Raises:
        DataError: a file is missing or broken, or two of them contradict each other.
    """
    files = {path.name: path for path in folder_files(folder, split)}
    paths = list(files.values())
    items, captions = read_rows(paths[0]), read_rows(paths[1])
    item_ids = _item_ids(files, len(items))
    names = item_ids or [f"{split}-{row:07d}" for row in range(len(items))]
    _refuse_repeated(names, files.get("video_ids.json", folder))
    if "text_ids.json" in files:
        owners = read_list(files["text_ids.json"], len(captions), f"rows of {captions.path.name}")
    elif len(items) == len(captions):
        owners = names
    else:
        raise DataError(
            f"{captions.path}: {len(captions)} rows, but {items.path.name} has {len(items)}; row i "
            "of both is one pair, unless text_ids.json names the video of every text"
        )
    whole = EmbeddingFolder(split, items, captions, names, item_ids is None, owners, [])
    texts = whole.caption_ids
    if "texts.json" in files:
        texts = read_list(files["texts.json"], len(captions), f"rows of {captions.path.name}")
    return EmbeddingFolder(split, items, captions, names, item_ids is None, owners, texts)


def _item_ids(files: dict[str, Path], rows: int) -> list[str] | None:
    if "video_ids.json" in files:
        return read_list(files["video_ids.json"], rows, "videos")
    if "metadata.json" not in files:
        return None
    about = read_json(files["metadata.json"])
    named = about.get("video_ids") if isinstance(about, dict) else None
    if not isinstance(named, list) or "..." in named:
        return None
    return checked_list(named, rows, "videos", files["metadata.json"])


def _refuse_repeated(ids: list[str], where: Path) -> None:
    first: dict[str, int] = {}
    for row, item_id in enumerate(ids):
        if not item_id:
            raise DataError(f"{where}: entry {row + 1} is empty; every video needs an id")
        if first.setdefault(item_id, row) != row:
            raise DataError(
                f"{where}: id {item_id!r} is in rows {first[item_id] + 1} and {row + 1}; give each "
                "video one row, and text_ids.json where it has several texts"
            )
