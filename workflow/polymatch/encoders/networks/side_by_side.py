"""Batches of one network side by side, a CPU thread for each.

One thread a batch, not all threads on every layer: nothing waits at the end of each layer, which
costs most of the speed when other work shares the cores, and a result is the same to the last bit
whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def side_by_side(
    function: Callable[[Batch], Result], batches: Iterable[Batch], device: torch.device
) -> Iterator[Result]:
    """Give ``function`` of each batch, in order; on a CPU ``torch.get_num_threads()`` at a time.

    >>> list(side_by_side(lambda x: 2 * x, [1, 2, 3], torch.device("cpu")))
    [2, 4, 6]
    """

    def alone(batch: Batch) -> Result:
        torch.set_num_threads(1)
        return function(batch)

    if device.type != "cpu":
        return map(function, batches)
    return _pool(torch.get_num_threads()).map(alone, batches)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="network")
