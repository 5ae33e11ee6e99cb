"""Real videos and sounds, made by PyAV; each frame shows its number in blocks."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

BITS = 10
BLOCK = 16
SIZE = (BLOCK * BITS // 2, 4 * BLOCK)
"""Width and height: five blocks a row, two rows of number, two rows of picture below."""


def numbered(number, size=SIZE):
    """A frame [H, W, 3] that says ``number`` by light and dark blocks, with some texture below."""
    width, height = size
    frame = np.empty((height, width, 3), dtype=np.uint8)
    frame[:] = np.random.default_rng(number // 8).integers(0, 255, 3)
    frame[2 * BLOCK :, :: 2 + number % 5] = 90
    for bit in range(BITS):
        row, column = bit // 5 * BLOCK, bit % 5 * BLOCK
        light = 220 if number >> bit & 1 else 30
        frame[row : row + BLOCK, column : column + BLOCK] = light
    return frame


def number_of(frame):
    """The number that a frame [H, W, 3] of any codec says."""
    middle = BLOCK // 2
    blocks = [
        frame[bit // 5 * BLOCK + middle, bit % 5 * BLOCK + middle].mean() for bit in range(BITS)
    ]
    return sum(1 << bit for bit, light in enumerate(blocks) if light > 128)


def write_video(
    path,
    frames=40,
    codec="libx264",
    size=SIZE,
    options=None,
    pixels="yuv420p",
    pts=None,
    sound=None,
    cover=False,
    container=None,
):
    """Write frames 0 to ``frames``; ``pts``: their times in thousandths; ``sound``: see below."""
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if pts is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        track = _sound_stream(file, **sound) if sound else None
        if cover:
            picture = file.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 200, np.uint8), "rgb24")
            file.mux(picture.encode(image))
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if track is not None:
            _write_tone(file, track, **sound)
    return path


def write_sound(path, **sound):
    """Write a file of sound alone; see :func:`_sound_stream`."""
    with av.open(str(path), "w") as file:
        track = _sound_stream(file, **sound)
        file.start_encoding()
        _write_tone(file, track, **sound)
    return path


def tone(seconds, rate, channels, hertz=440.0, level=0.5):
    """A tone in every channel: [channels, samples]."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def _sound_stream(file, codec="aac", rate=44100, layout="stereo", **_):
    return file.add_stream(codec, rate=rate, layout=layout)


def _write_tone(file, track, codec="aac", rate=44100, layout="stereo", seconds=1.0, **of_tone):
    channels = track.layout.nb_channels
    wave = tone(seconds, rate, channels, **of_tone)
    if not wave.size:
        return
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    fifo = av.AudioFifo()
    resampled = av.AudioResampler(track.format, layout, rate).resample(frame)
    for part in resampled:
        fifo.write(part)
    step = track.codec_context.frame_size or 1024
    while (part := fifo.read(step, partial=True)) is not None:
        file.mux(track.encode(part))
    file.mux(track.encode(None))
