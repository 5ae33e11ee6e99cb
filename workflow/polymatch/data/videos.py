"""Frames of a video, spread evenly: the right ones to the last bit, decoding no more than needed.

Positions are those of the published evaluation: of N frames in the order in which they are shown,
``linspace(0, N - 1, n)`` rounded down, here in whole numbers (torch's single precision gives the
same for all N up to 3,000 and n of 8, 12, 16 and 32). N is what a decoder gives from the first to
the last, whatever a header says. A rotation that the file asks for is done; mirroring and pixels
that are not square are left, as every reader of frames leaves them.

Deviation from the published code: a video that cannot be read is an error that says why; there it
became zeros without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.data.video_decoding import (
    Each,
    Frames,
    can_jump,
    decode_all,
    decode_stretches,
    read_index,
)
from polymatch.data.video_files import opened, unreadable, video_stream
from polymatch.errors import ConfigError


def sample_frames(path: Path | str, n: int, each: Each | None = None) -> Frames:
    """``n`` frames of a video at even distances: [n, h, w, 3], RGB.

    Args:
        n: how many; of a video with fewer, some come more than once.
        each: given every frame [1, H, W, 3] as soon as it is decoded (a crop, a smaller size), so
            that never more than one is held in full.

    Raises:
        ConfigError: ``n`` is less than 1.
        DataError: no such file, not a video, broken, cut off, no frame in it, or, without ``each``,
            frames of several sizes.
    """
    if n < 1:
        raise ConfigError(f"n_frames: {n} frames of a video; allowed: 1 or more")
    return _chosen(Path(path), lambda total: even_positions(total, n), each)


def middle_frame(path: Path | str) -> Frames:
    """The frame in the middle of a video: [H, W, 3], RGB.

    Raises:
        DataError: see :func:`sample_frames`.
    """
    return _chosen(Path(path), lambda total: np.array([total // 2]), None)[0]


def even_positions(total: int, n: int) -> NDArray[np.int64]:
    """Positions of ``n`` of ``total`` frames, from the first to the last.

    >>> even_positions(10, 4).tolist(), even_positions(2, 4).tolist(), even_positions(9, 1).tolist()
    ([0, 3, 6, 9], [0, 0, 0, 1], [0])
    """
    return np.arange(n, dtype=np.int64) * (total - 1) // max(1, n - 1)


def _chosen(path: Path, choose: Callable[[int], NDArray[np.int64]], each: Each | None) -> Frames:
    with opened(path) as container:
        stream = video_stream(path, container)
        index = read_index(path, container, stream)
        total = index.shown
        found: dict[int, Frames] = {}
        if can_jump(container, stream, index):
            found = decode_stretches(path, stream, index, choose(total), each)
    if not found:
        found, counted = decode_all(path, choose(total), each)
        if counted != total:
            total = counted
            found, _ = decode_all(path, choose(total), each)
    if not total:
        raise unreadable(path, "it has no frame")
    frames = [found[position] for position in choose(total).tolist()]
    for frame in frames:
        if frame.shape != frames[0].shape:
            sizes = " to ".join(f"{one.shape[2]} x {one.shape[1]}" for one in (frames[0], frame))
            raise unreadable(path, f"the size of its frames changes from {sizes}")
    return np.concatenate(frames)
