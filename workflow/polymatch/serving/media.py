"""Items' files as they are sent to the page: found by id, and none but those of the data set.

The name is the manifest's, never the one who asks's. Where it leads must lie in the data set's
folder once every link is followed; a link that leads out of it is refused, so that a data set of
somebody else shows no more than itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd
from PIL import Image

from polymatch.data.pictures import read_thumbnail
from polymatch.data.video_files import is_video
from polymatch.serving.limits import Refusal

Kind: TypeAlias = Literal["picture", "clip"]

# What browsers are told; what is not here is sent as bytes, and shown by its still alone.
TYPES = {
    ".png": "image/png",
    ".apng": "image/apng",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}
STILL = 320
_STILLS = 512


class Media:
    """The files of a data set's items.

    Args:
        root: the data set's folder.
        paths: of each item, from there; missing where an item has no file.
    """

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self._root, self._paths = root.resolve(), paths
        self._still = lru_cache(_STILLS)(_still)

    @classmethod
    def of(cls, root: Path, manifest: pd.DataFrame) -> Media:
        """The files that a manifest lists."""
        there = manifest.dropna(subset="path")
        return cls(root, dict(zip(there["item_id"], there["path"], strict=True)))

    def kind(self, item_id: str) -> Kind | None:
        """What an item is shown as; None where it has no file."""
        path = self._paths.get(item_id)
        if path is None:
            return None
        return "clip" if is_video(path) else "picture"

    def plays(self, item_id: str) -> bool:
        """Whether browsers show the file itself; else its still alone."""
        return Path(self._paths.get(item_id, "")).suffix.lower() in TYPES

    def file(self, item_id: str) -> Path:
        """Where an item's file is.

        Raises:
            Refusal: no item is called so, it has no file, or the file lies elsewhere.
        """
        name = self._paths.get(item_id)
        if name is None:
            raise Refusal(404, f"no item {item_id[:80]!r} with a picture or clip; search for one")
        try:
            path = (self._root / name).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise Refusal(404, f"item {item_id!r}: its file is not there any more") from None
        if not path.is_relative_to(self._root) or not path.is_file():
            raise Refusal(
                403,
                f"item {item_id!r}: its file lies outside of the data set's folder; not shown",
            )
        return path

    def type(self, path: Path) -> str:
        """What a browser is told that a file is."""
        return TYPES.get(path.suffix.lower(), "application/octet-stream")

    def still(self, item_id: str) -> bytes:
        """The middle frame, small, as WebP.

        Raises:
            Refusal: see :meth:`file`.
            DataError: the file cannot be read.
        """
        return self._still(self.file(item_id))


def _still(path: Path) -> bytes:
    written = io.BytesIO()
    Image.fromarray(read_thumbnail(path, STILL)).save(written, "WEBP", quality=80)
    return written.getvalue()
