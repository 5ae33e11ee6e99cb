"""Frames as a network takes them: what its own image processor does, in two steps.

Resizing and cropping gives bytes again and can be done ahead, in another thread; what is left of
the processor's work sends each byte of a channel to one number, so it is a table of 256 numbers a
channel, read off the processor itself and looked up on the device. The result is the processor's
own, to the last bit, whatever its resampling, mean, scale and offset.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymatch.encoders.base import Frames
from polymatch.errors import ConfigError


class Prepared(np.ndarray):
    """Frames that are resized and cropped already, and must not be twice."""


class Pictures:
    """Frames through ``processor``, an image processor of transformers on Pillow.

    Raises:
        ConfigError: it does not give every picture the same size, or does more than resize, crop,
            and scale its channels.
    """

    def __init__(self, processor: Any, where: str) -> None:
        self._processor = processor
        self._bytes_only = {"do_rescale": False, "do_normalize": False}
        if hasattr(processor, "include_top"):  # EfficientNet's scales a second time
            self._bytes_only["include_top"] = False
        levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
        try:
            scaled = self._run(levels, do_resize=False, do_center_crop=False)
            self._table = torch.from_numpy(scaled.reshape(3, 256).astype(np.float32)).contiguous()
            self._check()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{where}: its {type(processor).__name__} does not give pictures of one size that "
                f"are resized, cropped and scaled ({' '.join(str(error).split())[:120]})"
            ) from error

    def prepare(self, frames: Frames) -> Frames:
        """Resize and crop frames [n, H, W, 3] to bytes [n, height, width, 3]; prepared ones stay.

        The result is remembered as prepared, since doing it twice may crop twice.
        """
        if isinstance(frames, Prepared):
            return frames
        resized = [self._run(frame, **self._bytes_only).transpose(1, 2, 0) for frame in frames]
        return np.stack(resized).view(Prepared)

    def tensor(self, frames: Iterable[Frames], device: torch.device) -> Tensor:
        """Prepared frames as the network takes them: float32 [n, 3, height, width]."""
        levels = torch.from_numpy(np.stack([np.asarray(frame) for frame in frames])).to(device)
        channel = torch.arange(0, 3 * 256, 256, dtype=torch.int32, device=device)
        table = self._table.to(device).flatten()
        return table[levels.to(torch.int32) + channel].permute(0, 3, 1, 2)

    def described(self) -> str:
        """Size, crop, resampling and scale, as the processor's file has them."""
        names = ("size", "crop_size", "resample", "image_mean", "image_std", "rescale_factor")
        used = {
            "crop_size": "do_center_crop",
            "size": "do_resize",
            "resample": "do_resize",
            "image_mean": "do_normalize",
            "image_std": "do_normalize",
            "rescale_factor": "do_rescale",
        }
        found = self._processor.to_dict()
        said = [f"{n} {found[n]}" for n in names if found.get(n) and found.get(used[n], True)]
        return f"{found['image_processor_type']}: {', '.join(said)}"

    def _run(self, frame: Frames, **changes: bool) -> Frames:
        """One frame [H, W, 3] through the processor: [3, height, width]."""
        given = np.ascontiguousarray(frame)
        done = self._processor(given, input_data_format="channels_last", **changes)["pixel_values"]
        (picture,) = done
        return np.asarray(picture)

    def _check(self) -> None:
        """Both steps together must be the processor's own work, for upright and wide pictures."""
        seen = np.random.default_rng(0).integers(0, 256, (2, 90, 120, 3), dtype=np.uint8)
        sizes = set()
        for picture in (seen[0], seen[1].transpose(1, 0, 2)):
            whole = torch.from_numpy(self._run(picture).astype(np.float32))
            steps = self.tensor(self.prepare(picture[None]), torch.device("cpu"))[0]
            if not torch.equal(whole, steps):
                raise ValueError("what it gives differs from what it does step by step")
            sizes.add(tuple(whole.shape))
        if len(sizes) > 1:
            raise ValueError(f"sizes {sorted(sizes)}")
