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

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError

LAYOUTS = (("video_emb.npy", "text_emb.npy"), ("emb_video.pt", "emb_text.pt"))
OPTIONAL = ("video_ids.json", "metadata.json", "text_ids.json", "texts.json")
NEEDED = (
    "a folder of embeddings holds video_emb.npy, text_emb.npy and video_ids.json, "
    "or emb_video.pt and emb_text.pt"
)

_BLOCK_BYTES = 1 << 26
_MOST_BYTES = 1 << 29


@dataclass(frozen=True)
class Rows:
    """An array [n, D] on disk: a mapped NumPy array or torch tensor."""

    path: Path
    array: Any

    def __len__(self) -> int:
        return len(self.array)

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return int(self.array.shape[1])

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and rows [b, D] as float32, block by block."""
        step = max(1, _BLOCK_BYTES // (8 * self.width))
        for start in range(0, len(self), step):
            part = self.array[start : start + step]
            if not isinstance(part, np.ndarray):
                part = part.detach().float().numpy()
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and reported
                yield start, part.astype(np.float32)


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
    items, captions = _rows(paths[0]), _rows(paths[1])
    item_ids = _item_ids(files, len(items))
    names = item_ids or [f"{split}-{row:07d}" for row in range(len(items))]
    _refuse_repeated(names, files.get("video_ids.json", folder))
    if "text_ids.json" in files:
        owners = _list(files["text_ids.json"], len(captions), f"rows of {captions.path.name}")
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
        texts = _list(files["texts.json"], len(captions), f"rows of {captions.path.name}")
    return EmbeddingFolder(split, items, captions, names, item_ids is None, owners, texts)


def _rows(path: Path) -> Rows:
    array = _mapped(path) if path.suffix == ".npy" else _tensor(path)
    shape = tuple(array.shape)
    if len(shape) != 2:
        raise DataError(f"{path}: shape {shape}; embeddings are [rows, width], two-dimensional")
    if 0 in shape:
        raise DataError(f"{path}: shape {shape} holds nothing; make the embeddings again")
    return Rows(path, array)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path}: not a whole .npy array of numbers ({_first_line(error)}); "
            "copy or save it again"
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = getattr(array, "dtype", type(array).__name__)
        raise DataError(f"{path}: holds {kind}, not floating-point numbers")
    return array


def _tensor(path: Path) -> Any:
    # Importing torch takes seconds, which the NumPy layout need not wait for.
    import torch

    from polymatch.data.torch_files import read_torch

    value = read_torch(path, most_bytes=_MOST_BYTES)
    if not isinstance(value, torch.Tensor):
        raise DataError(
            f"{path}: holds a {type(value).__name__}, not a tensor; "
            "save the embeddings alone: torch.save(embeddings.cpu(), path)"
        )
    if value.layout != torch.strided or not value.is_floating_point():
        raise DataError(f"{path}: holds {value.layout} {value.dtype}, not dense floating numbers")
    return value


def _item_ids(files: dict[str, Path], rows: int) -> list[str] | None:
    if "video_ids.json" in files:
        return _list(files["video_ids.json"], rows, "videos")
    if "metadata.json" not in files:
        return None
    about = _json(files["metadata.json"])
    named = about.get("video_ids") if isinstance(about, dict) else None
    if not isinstance(named, list) or "..." in named:
        return None
    return _checked(named, rows, "videos", files["metadata.json"])


def _list(path: Path, rows: int, of_what: str) -> list[str]:
    return _checked(_json(path), rows, of_what, path)


def _checked(values: Any, rows: int, of_what: str, path: Path) -> list[str]:
    if not isinstance(values, list):
        raise DataError(f"{path}: holds a {type(values).__name__}, not a list")
    if len(values) != rows:
        raise DataError(
            f"{path}: {len(values)} entries for {rows} {of_what}; one for each, in order"
        )
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DataError(f"{path}: entry {row + 1} is {value!r}, not a text")
    return [str(value) for value in values]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON in UTF-8 ({_first_line(error)}); save it again"
        ) from error


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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
