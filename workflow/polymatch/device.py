"""Where to compute: CUDA, Apple's MPS or the CPU, chosen alone or as asked for."""

from __future__ import annotations

import torch

from polymatch.errors import ConfigError


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: the device is unknown or not available on this machine.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name.split(":")[0], False):
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise ConfigError(f"device: {name!r} is not available on this machine (it has: {there})")
    return torch.device(name)
