"""Time and memory of a piece of work, as every benchmark here takes them.

Memory is the peak that the allocator handed out on CUDA, what the driver has handed out on MPS
(which keeps what it had), and the process's peak resident set elsewhere.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

# Of six runs the smallest and the largest are a 95% interval of the median; of fewer nothing is.
FEWEST_RUNS = 6


def times(
    work: Callable[[], Any],
    warmup: int,
    runs: int,
    device: torch.device,
    limit_s: float = float("inf"),
) -> np.ndarray:
    """Milliseconds of each counted run of ``work``, [R].

    R is ``runs``, or fewer where they take longer than ``limit_s`` seconds, but at least six; a
    warm-up that takes as long ends early too.
    """
    start = time.perf_counter()
    for _ in range(warmup):
        work()
        if time.perf_counter() - start > limit_s:
            break
    taken: list[float] = []
    while len(taken) < runs:
        if len(taken) >= FEWEST_RUNS and sum(taken) > 1000 * limit_s:
            break
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        taken.append(1000 * (time.perf_counter() - start))
    return np.array(taken)


def statistics(name: str, taken: np.ndarray) -> dict[str, float]:
    """``<name>_ms`` (median), ``_mean_ms``, ``_sd_ms``, ``_lo_ms`` and ``_hi_ms`` of runs [R].

    The bounds are those of the median, 95%.
    """
    low, high = median_interval(taken)
    return {
        f"{name}_ms": float(np.median(taken)),
        f"{name}_mean_ms": float(taken.mean()),
        f"{name}_sd_ms": float(taken.std(ddof=1)),
        f"{name}_lo_ms": low,
        f"{name}_hi_ms": high,
    }


def median_interval(taken: np.ndarray) -> tuple[float, float]:
    """95% interval of the median, free of any distribution: binomial order statistics."""
    ordered, n = np.sort(taken), len(taken)
    half = 1.96 * np.sqrt(n) / 2
    low, high = int(np.floor(n / 2 - half)), int(np.ceil(n / 2 + half))
    return float(ordered[max(low, 0)]), float(ordered[min(high, n - 1)])


def peak_memory(device: torch.device) -> float:
    """Peak memory so far in megabytes (2**20 bytes)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak_memory(device: torch.device) -> None:
    """Let the peak start anew, where that can be had: on CUDA."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
