"""The sound of a clip or of a sound file, as one wave; decoded and resampled by FFmpeg in PyAV.

Source: the published evaluation reads a WAV file beside each clip. The samples here are those that
FFmpeg writes into one of 16 bits and one channel, without the files; several channels at full level
so stay within [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polymatch.data.video_files import opened, reason, unreadable
from polymatch.errors import ConfigError

Wave = NDArray[np.float32]

RATE = 16_000
_FULL_SCALE = 1 << 15


def read_sound(path: Path | str, rate: int = RATE, seconds: float | None = None) -> Wave | None:
    """The first audio track, all channels mixed into one: [samples], in [-1, 1].

    Args:
        path: a video or a sound file (.wav, .flac, .mp3, .m4a, .ogg, ...).
        rate: samples a second.
        seconds: read no more than this from the beginning; an hour is 115 MB while it is read and
            twice that as a wave, at 16 kHz.

    Returns:
        None if there is no audio track, or not one sample in it.

    Raises:
        ConfigError: ``rate`` or ``seconds`` is not above 0.
        DataError: no such file, not a video or sound, cut off, or broken.
    """
    import av

    if rate <= 0 or (seconds is not None and seconds <= 0):
        raise ConfigError(f"sound of {seconds} seconds at {rate} Hz; allowed: above 0")
    wanted = None if seconds is None else max(1, round(seconds * rate))
    parts: list[NDArray[np.int16]] = []
    read = 0
    with opened(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise unreadable(path, "its sound cannot be decoded")
        stream.codec_context.thread_count = 1
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        try:
            for frame in container.decode(stream):
                made = [part.to_ndarray()[0] for part in resampler.resample(frame)]
                parts += made
                read += sum(map(len, made))
                if wanted is not None and read >= wanted:
                    break
            else:
                parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
        except av.FFmpegError as error:
            why = f"its sound decodes up to {read / rate:.1f} s: {reason(error)}"
            raise unreadable(path, why) from error
    whole = np.concatenate(parts)[:wanted] if parts else np.empty(0, dtype=np.int16)
    return whole.astype(np.float32) / np.float32(_FULL_SCALE) if whole.size else None
