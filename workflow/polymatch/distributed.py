"""Several processes that train one model, each with a share of the pairs that a batch makes.

Every process has the whole batch, the same weights and the same random numbers; what is dear, the
similarity of every item with every caption, is split by captions and put together again, so that
each goes on with the whole matrix. The result is that of one process, up to the order of sums,
whatever the number: statistics over a batch, such as batch normalisation's, and random draws are
over the whole of it without a word said. Start the processes with ``torchrun``; without it all of
this is one process, at no cost.
"""

from __future__ import annotations

import torch.distributed as dist


def world_size() -> int:
    """Number of processes that work on this training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them, from 0."""
    return dist.get_rank() if world_size() > 1 else 0
