"""What an item's file holds, as frames: of a video as many as are wanted, of a picture all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.data.pictures import count_frames, read_frames
from polymatch.data.video_decoding import Each
from polymatch.data.video_files import check_video, is_video
from polymatch.data.videos import sample_frames
from polymatch.errors import DataError


def read_item(path: Path | str, n_frames: int, each: Each | None = None) -> NDArray[np.uint8]:
    """Frames of an item: [n_frames, h, w, 3], RGB.

    Args:
        n_frames: how many are sampled of a video; how many a picture has.
        each: given each frame [1, H, W, 3] (a crop, a smaller size); what it gives is kept.

    Raises:
        DataError: no such file, not a picture or video, broken, or a picture with other than
            ``n_frames`` frames.
    """
    if is_video(path):
        return sample_frames(path, n_frames, each)
    frames = read_frames(path)
    if len(frames) != n_frames:
        raise DataError(f"{path} has {len(frames)} frames, n_frames says {n_frames}")
    return frames if each is None else np.concatenate([each(frame[None]) for frame in frames])


def check_item(path: Path | str, n_frames: int | None) -> None:
    """Look at what costs no time: a picture's number of frames, a video's header.

    Raises:
        DataError: no such file, not a picture or video, or a number of frames that cannot be.
    """
    told = "<NA>" if n_frames is None else n_frames
    if is_video(path):
        check_video(path)
        if n_frames is None or n_frames < 1:
            raise DataError(
                f"{path} is a video, n_frames says {told}; say how many of its frames to use"
            )
        return
    there = count_frames(path)
    if there != n_frames:
        raise DataError(
            f"{path} has {there} frames, n_frames says {told}; correct the row or the file"
        )
