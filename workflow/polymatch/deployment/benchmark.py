"""The one benchmark: what a trained model costs when it answers queries.

One query batch is all test captions, against the test items as a gallery that was encoded and
prepared before, as a search engine would hold it. ``latency_ms`` is the median time to encode that
batch and score it against the gallery; encoding and scoring are timed apart too, and all three for
a single query. Memory is described in :mod:`polymatch.deployment.timing`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from polymatch.data.splits import RetrievalSet
from polymatch.deployment.sizes import sizes
from polymatch.deployment.timing import peak_memory, statistics, times
from polymatch.device import on_device
from polymatch.models import load_model
from polymatch.settings.stages import BenchmarkSettings


@torch.inference_mode()
def measure(
    run_directory: Path,
    data: RetrievalSet,
    kind: str,
    settings: BenchmarkSettings,
    device: torch.device,
) -> dict[str, Any]:
    """Time a run's model on ``data``; times in milliseconds, memory in megabytes (2**20 bytes).

    Returns:
        The statistics (see :func:`polymatch.deployment.timing.statistics`) of ``latency``,
        ``encoding`` and ``scoring`` of the batch, and of ``single_query``,
        ``single_query_encoding`` and ``single_query_scoring``; ``memory_mb``,
        ``memory_added_mb`` (since before the model was loaded), the figures of
        :func:`polymatch.deployment.sizes.sizes`, how many items and captions, threads and the
        device.
    """
    torch.set_num_threads(settings.threads)
    before = peak_memory(device)
    model = load_model(run_directory, device)
    queries = on_device(data.captions, device)
    items = model.encode_items(on_device(data.items, device))
    gallery = model.prepare_items(items, kind)
    counted: list[int] = []

    def timed(name: str, work: Callable[[], Any]) -> dict[str, float]:
        taken = times(work, settings.warmup, settings.runs, device, settings.longest)
        counted.append(len(taken))
        return statistics(name, taken)

    def answer(name: str, batch: Tensor, prefix: str) -> dict[str, float]:
        encoded = model.encode_captions(batch)
        return {
            **timed(name, lambda: model.similarity(gallery, model.encode_captions(batch), kind)),
            **timed(f"{prefix}encoding", lambda: model.encode_captions(batch)),
            **timed(f"{prefix}scoring", lambda: model.similarity(gallery, encoded, kind)),
        }

    return {
        **answer("latency", queries, ""),
        **answer("single_query", queries[:1], "single_query_"),
        "memory_mb": peak_memory(device),
        "memory_added_mb": peak_memory(device) - before,
        **sizes(model, run_directory),
        "n_items": len(data.item_ids),
        "n_captions": len(data.texts),
        "runs": min(counted),
        "threads": settings.threads,
        "device": str(device),
    }
