"""Video and sound files, opened by PyAV (FFmpeg): what is one, and why one cannot be read.

Decisions: a name is a name of a file and nothing else (FFmpeg reads ``a:b.mp4`` as a protocol, and
a play list called ``.mp4`` would open what it lists, over a network too), so the protocol is given
and formats that refer to other files are refused. A file that is shorter than its own header says
is cut off, and refused whole: what was lost cannot be told from what is there, and frames that are
spread over the rest would be those of another clip. Transport streams and live recordings tell no
size: of them only a damaged frame shows. PyAV is imported at the first use, for most stages read no
video.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from polymatch.errors import DataError

if TYPE_CHECKING:
    from av import FFmpegError
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".f4v",
        ".flv",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
    }
)
"""Names of videos end in one of these (in any case); every other item is a picture."""

SOUND_SUFFIXES = frozenset(
    {".aac", ".aif", ".aiff", ".au", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
)
"""Names of files that hold sound alone."""

LARGEST = 1 << 27
"""Pixels of a frame: 16,384 x 8,192. Headers that claim more are not believed."""

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,asf,flv,ogg,mxf,"
    "wav,w64,aiff,au,flac,mp3,aac,amr,ac3,eac3"
)


def is_video(path: Path | str) -> bool:
    """Whether a file's name ends as a video's does; nothing is opened.

    >>> [is_video(name) for name in ("a/video0.mp4", "b.MKV", "c.webp", "d.gif")]
    [True, True, False, False]
    """
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def may_sound(path: Path | str) -> bool:
    """Whether a file's name ends as a video's or a sound's does; a picture has no sound."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES | SOUND_SUFFIXES


def check_video(path: Path | str) -> None:
    """Open a video's header, and nothing of its pictures: one or two milliseconds.

    Raises:
        DataError: no such file, not a video, no pictures in it, cut off, or impossibly large.
    """
    with opened(path) as container:
        video_stream(path, container)


@contextmanager
def opened(path: Path | str) -> Iterator[InputContainer]:
    """Open a file for reading; whatever FFmpeg says of it inside the block is a `DataError`.

    Raises:
        DataError: no such file, nothing in it, cut off, or not a video (or a sound).
    """
    import av

    path = Path(path)
    _refuse_missing(path)
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            yield container
    except av.FFmpegError as error:
        raise unreadable(path, reason(error)) from error


def video_stream(path: Path | str, container: InputContainer) -> VideoStream:
    """The first stream of pictures that is not a cover; decoded by one thread.

    Several files are read side by side, which keeps more cores busy than several threads a file.

    Raises:
        DataError: there is none, or its header claims a size that no video has.
    """
    from av.stream import Disposition

    cover = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in container.streams.video:
        if stream.disposition & cover:
            continue
        context = stream.codec_context
        if context is None or context.width < 1 or context.height < 1:
            raise unreadable(path, "its pictures cannot be decoded, or have no size")
        if context.width * context.height > LARGEST:
            raise unreadable(
                path, f"its header claims {context.width} x {context.height} pixels a frame"
            )
        context.thread_count = 1
        context.options = {**context.options, "max_pixels": str(LARGEST)}
        return stream
    raise DataError(f"{path}: has no video stream; replace the file or take out its row")


def unreadable(path: Path | str, why: str) -> DataError:
    """The error of a file that is there and cannot be used."""
    return DataError(f"{path}: not a readable video ({why}); replace the file or take out its row")


def reason(error: FFmpegError) -> str:
    """What FFmpeg says of an error, without its number."""
    return (error.strerror or type(error).__name__).splitlines()[0]


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such video; put the file there or take out its row")
    size = path.stat().st_size
    if not size:
        raise unreadable(path, "the file is empty")
    with path.open("rb") as file:
        told = _told_size(file, size)
    if told > size:
        raise unreadable(path, f"cut off: {size:,} of the {told:,} bytes that its header tells of")


def _told_size(file: BinaryIO, size: int) -> int:
    """The least size that a file's outermost header gives it; 0 if that says nothing."""
    start = file.read(12)
    if start[:4] == b"RIFF":
        return _riff_size(start)
    if start[:4] == b"\x1aE\xdf\xa3":
        return _matroska_size(file)
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
        return _boxes_size(file, size)
    return 0


def _riff_size(start: bytes) -> int:
    body = int.from_bytes(start[4:8], "little")
    # A writer that could not go back leaves these; 4 GB and more do not fit.
    return 0 if body in (0, 0xFFFFFFFF) else body + 8


def _matroska_size(file: BinaryIO) -> int:
    """End of the segment, which holds all there is; live recordings do not tell it."""
    file.seek(4)
    header = _element_size(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != b"\x18S\x80g":
        return 0
    segment = _element_size(file)
    return 0 if segment is None else file.tell() + segment


def _element_size(file: BinaryIO) -> int | None:
    """EBML's number of variable length; None where all of its bits are set: not known."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << 7 * length) - 1 else value


def _boxes_size(file: BinaryIO, size: int) -> int:
    """End of the last box; what follows those that are known is not looked at."""
    known = b"ftyp moov mdat free skip wide styp moof sidx uuid meta mfra pdin udta".split()
    place = 0
    while place < size:
        file.seek(place)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if header[4:8] not in known or length == 0:  # 0: up to the end of the file
            break
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        if length < 8:
            break
        place += length
    return place
