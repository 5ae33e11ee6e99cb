"""Which numbers a network computes with."""

from __future__ import annotations

import torch

from polymatch.settings.encoder import Precision


def computing_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type asked for; ``auto`` is bfloat16 on a GPU that has it, float16 on others.

    On a CPU ``auto`` is float32: few have units for anything shorter.

    >>> computing_dtype("auto", torch.device("cpu"))
    torch.float32
    """
    if precision != "auto":
        named: torch.dtype = getattr(torch, precision)
        return named
    if device.type == "cuda":
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_it else torch.float16
    return torch.float16 if device.type == "mps" else torch.float32
