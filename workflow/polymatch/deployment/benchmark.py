"""The one benchmark: what a trained model costs when it answers queries.

One query batch is all test captions, against the test items as a gallery that was encoded before,
as a search engine would hold it. ``latency_ms`` is the median time to encode that batch and score
it against the gallery. On the CPU, memory is the process's peak resident set, and how much of it
came after the library was loaded; on CUDA it is the peak that the allocator handed out.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymatch.data.splits import RetrievalSet
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
        ``latency_ms`` with ``latency_mean_ms``, ``latency_sd_ms``, ``latency_lo_ms``,
        ``latency_hi_ms`` (95% of the median, by order statistics), ``encoding_ms`` and
        ``scoring_ms`` (medians of the parts), ``single_query_ms``, ``memory_mb``,
        ``memory_added_mb``, ``parameters``, sizes, threads and the device.
    """
    torch.set_num_threads(settings.threads)
    before = _peak_memory(device)
    model = load_model(run_directory, device)
    queries = torch.as_tensor(data.captions, dtype=torch.float32, device=device)
    gallery = model.encode_items(torch.as_tensor(data.items, dtype=torch.float32, device=device))
    encoded = model.encode_captions(queries)

    def timed(work: Callable[[], Any]) -> np.ndarray:
        return _times(work, settings.warmup, settings.runs, device)

    def answer(batch: Tensor) -> Tensor:
        return model.similarity(gallery, model.encode_captions(batch), kind)

    latency = timed(lambda: answer(queries))
    low, high = _median_interval(latency)
    return {
        "latency_ms": float(np.median(latency)),
        "latency_mean_ms": float(latency.mean()),
        "latency_sd_ms": float(latency.std(ddof=1)),
        "latency_lo_ms": low,
        "latency_hi_ms": high,
        "encoding_ms": float(np.median(timed(lambda: model.encode_captions(queries)))),
        "scoring_ms": float(np.median(timed(lambda: model.similarity(gallery, encoded, kind)))),
        "single_query_ms": float(np.median(timed(lambda: answer(queries[:1])))),
        "memory_mb": _peak_memory(device),
        "memory_added_mb": _peak_memory(device) - before,
        "parameters": sum(p.numel() for p in model.parameters()),
        "n_items": len(data.item_ids),
        "n_captions": len(data.texts),
        "runs": settings.runs,
        "threads": settings.threads,
        "device": str(device),
    }


def _times(work: Callable[[], Any], warmup: int, runs: int, device: torch.device) -> np.ndarray:
    times = []
    for _ in range(warmup + runs):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(1000 * (time.perf_counter() - start))
    return np.array(times[warmup:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _median_interval(times: np.ndarray) -> tuple[float, float]:
    """95% interval of the median, free of any distribution: binomial order statistics."""
    ordered, n = np.sort(times), len(times)
    half = 1.96 * np.sqrt(n) / 2
    low, high = int(np.floor(n / 2 - half)), int(np.ceil(n / 2 + half))
    return float(ordered[max(low, 0)]), float(ordered[min(high, n - 1)])


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
