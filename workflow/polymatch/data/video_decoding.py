"""Decoding wanted frames of a video: stretches of it where that is exact, else all of it.

The packets are counted without being decoded. Where each of them is one frame with a time of its
own (H.264, HEVC, VP9, AV1 in MP4 or Matroska), only the stretches from a key frame to a wanted
frame are decoded, in H.264 without the frames that no other needs. Whether every wanted frame came
out is looked at; if not, and for all other files, everything is decoded and picked by its number.
What a file has broken where nothing was wanted is so left unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polymatch.data.video_files import opened, reason, unreadable, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Frames = NDArray[np.uint8]
Each = Callable[[Frames], Frames]


class Index(NamedTuple):
    """What the packets of a stream say, in the order in which they are decoded.

    Attributes:
        pts: when each is shown; None where the file does not say.
        is_key: whether decoding can start there.
        is_shown: whether an edit list leaves it in.
        changes: whether the decoder is set up anew somewhere in between.
        held: the packets, unless they are more than 32 MB.
    """

    pts: list[int | None]
    is_key: NDArray[np.bool_]
    is_shown: NDArray[np.bool_]
    changes: bool
    held: list[Packet] | None

    @property
    def shown(self) -> int:
        """Frames in the video, as far as packets tell."""
        return int(self.is_shown.sum())


_HELD_BYTES = 1 << 25
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "libvpx-vp9", "av1", "libdav1d"}
_EXACT_TIMES = {"mov", "matroska"}


def read_index(path: Path, container: InputContainer, stream: VideoStream) -> Index:
    """Go through the packets without decoding one.

    Raises:
        DataError: the last is not whole.
    """
    pts: list[int | None] = []
    keys: list[bool] = []
    shown: list[bool] = []
    held: list[Packet] | None = []
    size, changes, broken = 0, False, False
    for packet in _packets(container, stream):
        pts.append(packet.pts)
        keys.append(packet.is_keyframe)
        shown.append(not packet.is_discard)
        changes |= packet.has_sidedata("new_extradata")
        broken = packet.is_corrupt
        size += packet.size
        if size > _HELD_BYTES:
            held = None
        elif held is not None:
            held.append(packet)
    if broken:
        raise unreadable(path, f"it is cut off in frame {len(pts):,}")
    return Index(pts, np.array(keys, dtype=bool), np.array(shown, dtype=bool), changes, held)


def can_jump(container: InputContainer, stream: VideoStream, index: Index) -> bool:
    """Whether packets are frames, one for one, and their times say which is shown when."""
    exact = (
        stream.codec_context.name in _ONE_FRAME_A_PACKET
        and not _EXACT_TIMES.isdisjoint(container.format.name.split(","))
        and index.shown > 0
        and not index.changes
        and None not in index.pts
        and len(set(index.pts)) == len(index.pts)
        and bool(index.is_key[0])
    )
    if not exact:
        return False
    pts = np.array(index.pts, dtype=np.int64)
    first = pts[index.is_shown].min()
    # Frames before the first key frame refer to what is not there. An edit list may leave out the
    # beginning; what else it does is left to the decoder.
    return bool(first >= pts[0] and (pts[~index.is_shown] < first).all())


def decode_stretches(
    path: Path, stream: VideoStream, index: Index, positions: NDArray[np.int64], each: Each | None
) -> dict[int, Frames]:
    """The frames [1, h, w, 3] at ``positions``, by position; none if one of them did not come."""
    import av

    pts = np.array(index.pts, dtype=np.int64)
    in_time = np.flatnonzero(index.is_shown)
    in_time = in_time[np.argsort(pts[in_time])]
    needed = _needed(pts, np.flatnonzero(index.is_key), in_time[np.unique(positions)])
    ends = needed & ~np.append(needed[1:], False)
    position_at = {int(pts[in_time[position]]): int(position) for position in positions}
    context = stream.codec_context
    # Of HEVC's frames that "no other refers to" some are needed, by frames of higher layers.
    needless: Literal["NONREF", "DEFAULT"] = "NONREF" if context.name == "h264" else "DEFAULT"
    read = _Reader(each)
    found: dict[int, Frames] = {}
    try:
        with _again(path, index) as packets:
            for number in np.flatnonzero(needed):
                packet = packets(int(number))
                context.skip_frame = "DEFAULT" if packet.pts in position_at else needless
                frames = context.decode(packet)
                if ends[number]:
                    frames += context.decode(None)
                    context.flush_buffers()
                if any(frame.is_corrupt for frame in frames):
                    return {}
                for frame in frames:
                    if frame.pts in position_at:
                        found[position_at[frame.pts]] = read(frame)
    except av.FFmpegError:
        return {}
    return found if len(found) == len(position_at) else {}


def decode_all(
    path: Path, positions: NDArray[np.int64], each: Each | None
) -> tuple[dict[int, Frames], int]:
    """The frames [1, h, w, 3] at those of ``positions`` that there are, and how many there are.

    Raises:
        DataError: a frame cannot be decoded.
    """
    import av

    wanted = set(positions.tolist())
    read = _Reader(each)
    found: dict[int, Frames] = {}
    counted, packets_read = 0, 0
    with opened(path) as container:
        stream = video_stream(path, container)
        why = ""
        for packet in chain(_packets(container, stream), [None]):
            packets_read += packet is not None
            try:
                frames = stream.codec_context.decode(packet)
            except av.FFmpegError as error:
                frames, why = [], reason(error)
            for frame in frames:
                if frame.is_corrupt:
                    why = "what follows is damaged"
                    break
                if counted in wanted:
                    found[counted] = read(frame)
                counted += 1
            if why:
                total = packets_read + sum(1 for _ in _packets(container, stream))
                raise unreadable(path, f"it decodes up to frame {counted:,} of {total:,}: {why}")
    return found, counted


class _Reader:
    """Frames as arrays [1, h, w, 3], turned as the file asks, then as ``each`` makes them."""

    def __init__(self, each: Each | None) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._each = each

    def __call__(self, frame: VideoFrame) -> Frames:
        quarters = round(frame.rotation / 90) % 4
        rgb = self._reformatter.reformat(frame, format="rgb24", threads=1)
        pixels = rgb.to_ndarray().astype(np.uint8, copy=False)
        turned = np.ascontiguousarray(np.rot90(pixels, quarters))[None]
        return turned if self._each is None else self._each(turned)


def _needed(
    pts: NDArray[np.int64], keys: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each packet is in a stretch from a key frame to a wanted packet."""
    needed = np.zeros(len(pts), dtype=bool)
    for packet in wanted:
        # A frame shown before the key frame that was decoded before it needs the key frame before.
        start = keys[(keys <= packet) & (pts[keys] <= pts[packet])][-1]
        needed[start : packet + 1] = True
    return needed


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    # An empty packet stands for the end, or for the frame before over again.
    return (packet for packet in container.demux(stream) if packet.size)


@contextmanager
def _again(path: Path, index: Index) -> Iterator[Callable[[int], Packet]]:
    """The packets a second time, by rising number: those held, or from the file."""
    if index.held is not None:
        yield index.held.__getitem__
        return
    with opened(path) as container:
        numbered = enumerate(_packets(container, video_stream(path, container)))
        yield lambda number: next(packet for place, packet in numbered if place == number)
