"""Where more threads only cost time.

A chain of small steps waits for all threads after each step. On an idle machine that gains little
for arrays that fit in a cache; where other processes want the same cores it costs fifty-fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread inside the block, then in as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
