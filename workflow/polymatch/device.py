"""Where to compute: CUDA, Apple's MPS or the CPU, chosen alone or as asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def on_device(features: Any, device: torch.device | str = "cpu") -> Any:
    """Features as models take them: float32, and int64 where they are numbers of words.

    Frames, which are no array, move by themselves.
    """
    if not isinstance(features, np.ndarray):
        return features.to(device)
    kind = torch.int64 if np.issubdtype(features.dtype, np.integer) else torch.float32
    return torch.as_tensor(features, dtype=kind, device=device)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """State of the generators that ``torch.manual_seed`` seeds, on the CPU and on ``device``."""
    state = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = _module(device).get_rng_state()
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put back what :func:`random_state` gave."""
    torch.set_rng_state(state["cpu"])
    if device.type != "cpu":
        _module(device).set_rng_state(state[device.type])


def _module(device: torch.device) -> Any:
    return torch.cuda if device.type == "cuda" else torch.mps
