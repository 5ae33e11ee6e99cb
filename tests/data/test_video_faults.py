"""Videos that cannot be used: each says why, and none is taken for another clip or for nothing."""

from __future__ import annotations

import re
import resource

import av
import numpy as np
import pytest

from polymatch.data.pictures import read_thumbnail
from polymatch.data.video_files import check_video
from polymatch.data.videos import sample_frames
from polymatch.errors import DataError

from ..video_examples import number_of, write_sound, write_video


def text(path):
    path.write_text("no video, but words " * 99)


def play_list(path):
    path.write_text("#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def other_files(path):
    write_video(path.with_name("inner.mp4"), 3)
    path.write_text("ffconcat version 1.0\nfile inner.mp4\n")


def sound_alone(path):
    write_sound(path)


def huge(path):
    write_video(path, 2, codec="ffv1")
    bytes_ = bytearray(path.read_bytes())
    header = bytes_.find(b"strf")
    bytes_[header + 12 : header + 20] = (100_000).to_bytes(4, "little") * 2
    path.write_bytes(bytes_)


UNOPENED = {
    "missing": ("gone.mp4", lambda path: None, "no such video; put the file there or take out"),
    "a folder": ("a.mp4", lambda path: path.mkdir(), "no such video"),
    "empty": ("a.mp4", lambda path: path.touch(), r"not a readable video \(the file is empty\)"),
    "text": ("a.mp4", text, r"not a readable video \(Invalid data found when processing input\)"),
    "play list": ("a.mp4", play_list, r"not a readable video \(Invalid data"),
    "list of files": ("a.mkv", other_files, "not a readable video"),
    "sound": ("a.mp4", sound_alone, "has no video stream; replace the file or take out its row"),
    "huge": ("a.avi", huge, r"not a readable video \(its .*(claims 100000 x 100000|no size)"),
}


@pytest.mark.parametrize(("name", "make", "message"), UNOPENED.values(), ids=UNOPENED)
def test_what_is_no_video_is_refused_by_its_header(tmp_path, name, make, message):
    make(tmp_path / name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (
        check_video,
        lambda path: sample_frames(path, 4),
        lambda path: read_thumbnail(path, 8),
    ):
        with pytest.raises(DataError, match=rf"{re.escape(str(tmp_path / name))}: .*{message}"):
            read(tmp_path / name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_frames_larger_than_their_header_says_are_not_made(tmp_path):
    path = write_video(tmp_path / "a.avi", 3, codec="mjpeg", pixels="yuvj420p")
    bytes_ = bytearray(path.read_bytes())
    for found in re.finditer(rb"\xff\xc0", bytes_):
        bytes_[found.start() + 5 : found.start() + 9] = (65_000).to_bytes(2, "big") * 2
    path.write_bytes(bytes_)
    with pytest.raises(DataError, match=r"it decodes up to frame 0 of 3: "):
        sample_frames(path, 2)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("name", "how"),
    {
        "head.mp4": {"container": {"movflags": "faststart"}},
        "tail.mp4": {},
        "a.mkv": {},
        "a.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}},
        "a.avi": {"codec": "mpeg4"},
        "a.mov": {"container": {"movflags": "faststart"}},
    }.items(),
)
def test_a_file_that_is_cut_off_is_refused_whole(tmp_path, name, how, share):
    path = write_video(tmp_path / name, **how)
    check_video(path)
    whole = path.read_bytes()
    left = int(len(whole) * share)
    path.write_bytes(whole[:left])
    told = rf"cut off: {left:,} of the {len(whole):,} bytes that its header tells of"
    if name == "tail.mp4":  # its index comes last, and is not known of before
        told = r"cut off: [\d,]+ of the [\d,]+ bytes that its header tells of"
    for read in (check_video, lambda path: sample_frames(path, 4)):
        with pytest.raises(DataError, match=told):
            read(path)


def test_a_stream_that_tells_no_size_ends_where_it_ends_unless_a_frame_is_damaged(tmp_path):
    path = write_video(tmp_path / "a.ts", 40, options={"g": "12", "crf": "2"})
    whole, damaged = path.read_bytes(), 0
    for share in np.linspace(0.5, 0.95, 10):
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            numbers = [number_of(frame) for frame in sample_frames(path, 16)]
            assert numbers == sorted(numbers) and numbers[0] == 0 and 16 <= numbers[-1] < 40
        except DataError as error:
            damaged += 1
            decoded, seen = map(int, re.findall(r"frame (\d+) of (\d+): ", str(error))[0])
            assert 15 < decoded < seen <= 40
    assert damaged


@pytest.mark.parametrize("junk", [b"\0", b"\x5a"])
def test_damage_in_the_middle_says_how_far_it_decodes(tmp_path, junk):
    path = write_video(tmp_path / "a.mp4", 40, options={"g": "12", "crf": "4"})
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    hurt = next(packet for packet in packets[20:] if packet.is_keyframe)
    bytes_ = bytearray(path.read_bytes())
    bytes_[hurt.pos : hurt.pos + hurt.size] = junk * hurt.size
    path.write_bytes(bytes_)
    check_video(path)
    with pytest.raises(DataError, match=r"it decodes up to frame 2\d of 40: .*; replace the file"):
        sample_frames(path, 16)
    # Nothing is wanted of what is broken here.
    assert number_of(sample_frames(path, 1)[0]) == 0


def test_frames_of_several_sizes(tmp_path):
    one = write_video(tmp_path / "1.ts", 6, codec="mpeg2video")
    other = write_video(tmp_path / "2.ts", 6, codec="mpeg2video", size=(160, 128))
    path = tmp_path / "both.ts"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    with pytest.raises(DataError, match="size of its frames changes from 80 x 64 to 160 x 128"):
        sample_frames(path, 4)
    small = sample_frames(path, 4, lambda frame: frame[:, :8, :8])
    assert small.shape == (4, 8, 8, 3)


def test_a_header_without_a_frame(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
        file.start_encoding()
    with pytest.raises(DataError, match=r"a.mkv: not a readable video \("):
        sample_frames(path, 4)


def test_a_count_of_frames_in_the_header_is_not_believed(tmp_path):
    path = write_video(tmp_path / "a.avi", 10, codec="mpeg4")
    bytes_ = bytearray(path.read_bytes())
    for found in (bytes_.find(b"avih") + 8 + 16, bytes_.find(b"strh") + 8 + 32):
        assert int.from_bytes(bytes_[found : found + 4], "little") == 10
        bytes_[found : found + 4] = (500).to_bytes(4, "little")
    path.write_bytes(bytes_)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 500
    assert [number_of(frame) for frame in sample_frames(path, 4)] == [0, 3, 6, 9]
    assert np.array_equal(sample_frames(path, 1)[0], sample_frames(path, 4)[0])
