"""Pictures on the page: small WebP data URLs, each item once, as many as there is room for."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

QUALITY = 62


def thumbnails(
    shown: Iterable[int], picture: Callable[[int], np.ndarray | None], room: float
) -> dict[int, str]:
    """Data URLs of items by row, those shown most often first, until the room is used up.

    Args:
        shown: rows of items, once for every time that they are shown.
        picture: gives an item's picture [h, w, 3] by its row, or None.
        room: characters that all of them may take.
    """
    found: dict[int, str] = {}
    for row, _ in sorted(Counter(shown).items(), key=lambda each: (-each[1], each[0])):
        pixels = picture(row)
        if pixels is None:
            continue
        url = data_url(pixels)
        room -= len(url)
        if room < 0:
            break
        found[row] = url
    return found


def data_url(pixels: np.ndarray) -> str:
    """A picture [h, w, 3] of bytes as WebP in a data URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture_paths(manifest: pd.DataFrame, root: Path) -> Mapping[str, Path]:
    """Item id -> its picture or clip; items whose features were given have none."""
    there = manifest[manifest["path"].notna()]
    return {item: root / path for item, path in zip(there["item_id"], there["path"], strict=True)}
