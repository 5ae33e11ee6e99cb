"""ImageBind as the published evaluation on MSR-VTT reads frames: squashed, nothing cut off.

For comparing with the published table; all else is :mod:`polymatch.encoders.imagebind`, which cuts
out the centre as the network was trained.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from polymatch.encoders import imagebind
from polymatch.encoders.base import LoadOptions
from polymatch.encoders.networks.squares import squashed

INFO = replace(
    imagebind.INFO,
    name="imagebind_squashed",
    preprocessing=imagebind.INFO.preprocessing.replace(
        "short side bicubic to 224, centre 224 x 224", "squashed, bilinear to 224 x 224"
    ),
)


def load(device: torch.device, options: LoadOptions) -> imagebind.ImageBind:
    """Load the network; see :func:`polymatch.encoders.imagebind.load_imagebind`."""
    return imagebind.load_imagebind(device, options, INFO, squashed)
