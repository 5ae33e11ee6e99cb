"""How large a trained model is: on disk, in memory, and in numbers."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from polymatch.models import RetrievalModel


def sizes(model: RetrievalModel, run_directory: Path) -> dict[str, Any]:
    """Sizes of a model that was loaded from ``run_directory``, and has been used since.

    Returns:
        ``stored_mb``, the checkpoint's file of weights; ``weights_mb``, the weights in memory, with
        the copies that kernels keep of them (megabytes of 2**20 bytes); ``parameters``, numbers
        that were trained, or that those became (the scales of 8-bit weights among them); and how
        many of them are not zero, ``nonzero_parameters``.
    """
    held = sum(t.numel() * t.element_size() for t in chain(model.parameters(), model.buffers()))
    held += sum(getattr(module, "packed_bytes", 0) for module in model.modules())
    return {
        "stored_mb": (run_directory / "model.safetensors").stat().st_size / 2**20,
        "weights_mb": held / 2**20,
        "parameters": sum(p.numel() for p in model.parameters()),
        "nonzero_parameters": sum(int(p.count_nonzero()) for p in model.parameters()),
    }
