"""Sampled frames: the same to the last bit as decoding everything, in every codec and container."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.pictures import read_thumbnail
from polymatch.data.video_files import check_video, is_video
from polymatch.data.videos import even_positions, middle_frame, sample_frames
from polymatch.errors import ConfigError

from ..video_examples import SIZE, number_of, numbered, write_video

GROUPS = {"g": "12", "bf": "3", "sc_threshold": "0"}
VIDEOS = {
    "h264.mp4": {"codec": "libx264", "options": GROUPS},
    "one group.mp4": {"codec": "libx264", "options": {"bf": "3", "g": "600"}},
    "open groups.mkv": {"codec": "libx264", "options": {"x264-params": "open-gop=1:keyint=8"}},
    "pyramid.mov": {
        "codec": "libx264",
        "options": {"x264-params": "bframes=8:b-pyramid=normal:ref=6:keyint=30"},
    },
    "refresh.mp4": {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:keyint=10"}},
    "interlaced.mp4": {"codec": "libx264", "options": {"x264-params": "tff=1:keyint=12"}},
    "pieces.mp4": {
        "codec": "libx264",
        "options": GROUPS,
        "container": {"movflags": "frag_keyframe+empty_moov"},
    },
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=10:log-level=none"}},
    "layers.mkv": {
        "codec": "libx265",
        "options": {"x265-params": "keyint=16:temporal-layers=3:log-level=none"},
    },
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "10", "deadline": "realtime"}},
    "hidden.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "12"}},
    "h264.ts": {"codec": "libx264", "options": GROUPS},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "flv.flv": {"codec": "flv"},
    "wmv.wmv": {"codec": "wmv2"},
    "cover.mp4": {"codec": "libx264", "options": GROUPS, "cover": True},
    "sound.mkv": {"codec": "libx264", "sound": {"codec": "libopus", "rate": 48000}},
    "times.mp4": {
        "codec": "libx264",
        "options": {"g": "9", "bf": "3"},
        "pts": [40 * n + 300 * (n // 7) + n * n for n in range(40)],
    },
    "late.mkv": {"codec": "libx264", "options": GROUPS, "pts": [5000 + 33 * n for n in range(40)]},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {name: write_video(folder / name, **how) for name, how in VIDEOS.items()}


def everything(path):
    """The slow twin: every frame of the first stream that is no cover."""
    with av.open(str(path)) as container:
        cover = av.stream.Disposition.attached_pic
        stream = next(s for s in container.streams.video if not s.disposition & cover)
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)])


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_are_those_of_decoding_everything(videos, name):
    frames = everything(videos[name])
    assert len(frames) == 40
    for n in (1, 2, 5, 16, 40, 64):
        positions = np.linspace(0, len(frames) - 1, n).astype(int)
        got = sample_frames(videos[name], n)
        assert got.dtype == np.uint8 and np.array_equal(got, frames[positions]), n
        assert [number_of(frame) for frame in got] == positions.tolist(), n
    assert np.array_equal(middle_frame(videos[name]), frames[20])
    check_video(videos[name])


def test_a_file_that_is_not_held_gives_the_same(videos, monkeypatch):
    expected = sample_frames(videos["h264.mp4"], 7)
    monkeypatch.setattr("polymatch.data.video_decoding._HELD_BYTES", 1000)
    assert np.array_equal(sample_frames(videos["h264.mp4"], 7), expected)


@given(total=st.integers(1, 5000), n=st.integers(1, 64))
def test_positions_are_those_that_torch_gives(total, n):
    positions = even_positions(total, n)
    exact = [0] if n == 1 else [i * (total - 1) // (n - 1) for i in range(n)]
    assert positions.tolist() == exact
    assert positions[0] == 0 and (n == 1 or positions[-1] == total - 1)


@pytest.mark.parametrize(("total", "n"), [(450, 16), (751, 16), (11, 16), (1, 16), (300, 8)])
def test_positions_are_the_published_ones(total, n):
    torch = pytest.importorskip("torch")
    assert even_positions(total, n).tolist() == torch.linspace(0, total - 1, n).long().tolist()


@pytest.mark.parametrize("name", ["one.mp4", "one.webm", "one.avi"])
def test_one_frame_is_given_as_often_as_asked(tmp_path, name):
    codec = {"mp4": "libx264", "webm": "libvpx-vp9", "avi": "mpeg4"}[name[4:]]
    path = write_video(tmp_path / name, frames=1, codec=codec)
    assert np.array_equal(sample_frames(path, 4), everything(path).repeat(4, axis=0))


@pytest.mark.parametrize("size", [(82, 66), (100, 70), (81, 65)])
def test_odd_sizes(tmp_path, size):
    path = write_video(tmp_path / "a.mp4", 5, size=size, pixels="yuv444p")
    got = sample_frames(path, 5)
    assert got.shape == (5, size[1], size[0], 3) and np.array_equal(got, everything(path))


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_a_rotation_is_done(tmp_path, degrees, quarters):
    upright, turned = write_video(tmp_path / "up.mp4", 6), tmp_path / "turned.mp4"
    # the same packets: an encoder need not give the same twice
    with av.open(str(upright)) as source, av.open(str(turned), "w") as copy:
        out = copy.add_stream_from_template(source.streams.video[0])
        out.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = out
                copy.mux(packet)
    expected = np.rot90(sample_frames(upright, 6), quarters, axes=(1, 2))
    assert np.array_equal(sample_frames(turned, 6), expected)


def test_an_edit_list_leaves_out_the_beginning(tmp_path, videos):
    path = tmp_path / "cut.mp4"
    with av.open(str(videos["h264.mp4"])) as source, av.open(str(path), "w") as copy:
        stream = source.streams.video[0]
        out = copy.add_stream_from_template(stream)
        shift = int(15 / 25 / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts >= int(12 / 25 / stream.time_base):
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, out
                copy.mux(packet)
    frames = everything(path)
    assert [number_of(frame) for frame in frames] == list(range(15, 40))
    for n in (1, 6, 25):
        expected = frames[np.linspace(0, 24, n).astype(int)]
        assert np.array_equal(sample_frames(path, n), expected)


def test_each_frame_is_made_smaller_as_it_comes(videos):
    seen = []

    def halved(frame):
        seen.append(frame.shape)
        return frame[:, ::2, ::2]

    got = sample_frames(videos["h264.mp4"], 5, halved)
    assert np.array_equal(got, sample_frames(videos["h264.mp4"], 5)[:, ::2, ::2])
    assert seen == [(1, SIZE[1], SIZE[0], 3)] * 5


def test_an_error_of_the_one_who_asks_stays_its_own(videos):
    def broken(frame):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        sample_frames(videos["h264.mp4"], 5, broken)


def test_names_that_ffmpeg_would_take_for_something_else(tmp_path):
    path = write_video(tmp_path / "a.mp4", 3).rename(tmp_path / "concat:a|b%d.mp4")
    assert number_of(sample_frames(path, 2)[1]) == 2


def test_a_thumbnail_of_a_video_is_its_middle_frame(videos):
    small = read_thumbnail(videos["h264.mp4"], 40)
    assert small.shape == (32, 40, 3)
    assert np.array_equal(read_thumbnail(videos["h264.mp4"], 500), middle_frame(videos["h264.mp4"]))


def test_at_least_one_frame(videos):
    with pytest.raises(ConfigError, match=r"n_frames: 0 frames of a video; allowed: 1 or more"):
        sample_frames(videos["h264.mp4"], 0)


def test_videos_are_told_by_their_names():
    assert is_video("a/b.MP4") and not is_video("a.gif") and not is_video("mp4")
    assert number_of(numbered(613)) == 613
