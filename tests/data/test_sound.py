"""Sound: the tone that went in comes out, at one rate and in one channel, whatever the file."""

from __future__ import annotations

import wave

import av
import numpy as np
import pytest

from polymatch.data.sound import read_sound
from polymatch.errors import ConfigError, DataError

from ..video_examples import tone, write_sound, write_video

FILES = {
    "stereo.wav": {"codec": "pcm_s16le", "layout": "stereo", "rate": 44100},
    "deep.wav": {"codec": "pcm_s24le", "layout": "mono", "rate": 96000},
    "float.wav": {"codec": "pcm_f32le", "layout": "5.1", "rate": 48000},
    "telephone.wav": {"codec": "pcm_mulaw", "layout": "mono", "rate": 8000},
    "mono.flac": {"codec": "flac", "layout": "mono", "rate": 22050},
    "stereo.mp3": {"codec": "libmp3lame", "layout": "stereo", "rate": 44100},
    "opus.ogg": {"codec": "libopus", "layout": "stereo", "rate": 48000},
    "around.m4a": {"codec": "aac", "layout": "5.1", "rate": 48000},
}


def strongest(heard, rate):
    return np.argmax(np.abs(np.fft.rfft(heard))) * rate / len(heard)


@pytest.mark.parametrize("rate", [16000, 32000])
@pytest.mark.parametrize("name", FILES)
def test_the_tone_comes_out(tmp_path, name, rate):
    path = write_sound(tmp_path / name, seconds=2.0, level=0.2, **FILES[name])
    heard = read_sound(path, rate)
    assert heard.dtype == np.float32 and heard.ndim == 1
    assert len(heard) == pytest.approx(2 * rate, rel=0.06)
    assert strongest(heard, rate) == pytest.approx(440, rel=0.02)
    assert 0.05 < np.abs(heard).max() <= 1


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_channels_at_full_level_stay_within_one(tmp_path, layout):
    how = {"codec": "pcm_f32le", "layout": layout, "rate": 16000}
    heard = read_sound(write_sound(tmp_path / "a.wav", level=1.0, **how))
    assert 0.9 < np.abs(heard).max() <= 1


def test_what_is_at_the_rate_already_is_only_scaled(tmp_path):
    how = {"codec": "pcm_s16le", "layout": "mono", "rate": 16000}
    path = write_sound(tmp_path / "a.wav", **how)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(samples) == 16000
    assert np.array_equal(read_sound(path), samples / np.float32(32768))
    expected = tone(1.0, 16000, 1)[0]
    assert np.abs(read_sound(path) - expected).max() < 1e-4


def test_resampling_is_what_ffmpeg_writes_into_a_wav_file(tmp_path):
    path = write_sound(tmp_path / "a.wav", codec="pcm_s16le", layout="stereo", rate=44100)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.wav"), "w") as out:
        track = out.add_stream("pcm_s16le", rate=16000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 16000)
        for frame in [*source.decode(audio=0), None]:
            for part in resampler.resample(frame):
                part.pts = None
                out.mux(track.encode(part))
        out.mux(track.encode(None))
    assert np.array_equal(read_sound(path), read_sound(tmp_path / "b.wav"))


def test_the_sound_of_a_clip(tmp_path):
    path = write_video(tmp_path / "a.mp4", 30, sound={"rate": 44100, "seconds": 1.2})
    heard = read_sound(path)
    assert len(heard) == pytest.approx(1.2 * 16000, rel=0.1)
    assert strongest(heard, 16000) == pytest.approx(440, rel=0.02)


def test_no_more_is_read_than_asked(tmp_path):
    path = write_sound(tmp_path / "a.wav", codec="pcm_s16le", seconds=3.0)
    whole = read_sound(path)
    part = read_sound(path, seconds=0.5)
    assert len(part) == 8000 and np.array_equal(part, whole[:8000])
    assert np.array_equal(read_sound(path, seconds=60), whole)


def test_a_clip_without_sound_has_none(tmp_path):
    assert read_sound(write_video(tmp_path / "a.mp4", 3)) is None
    assert read_sound(write_sound(tmp_path / "b.wav", codec="pcm_s16le", seconds=0)) is None


def test_bad_sound(tmp_path):
    with pytest.raises(DataError, match=r"gone.wav: no such video"):
        read_sound(tmp_path / "gone.wav")
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"a.wav: not a readable video \(Invalid data"):
        read_sound(tmp_path / "a.wav")
    path = write_sound(tmp_path / "b.wav", codec="pcm_s16le")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match=r"b.wav: .*cut off: 9,000 of the \d+,\d+ bytes"):
        read_sound(path)
    for wrong in ({"rate": 0}, {"seconds": 0}):
        with pytest.raises(ConfigError, match="allowed: above 0"):
            read_sound(path, **wrong)
