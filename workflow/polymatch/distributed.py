"""Several processes that train one model, each with a share of the pairs that a batch makes.

Every process has the whole batch, the same weights and the same random numbers. What is dear, the
similarity of every item with every caption, is split by captions and put together again, and each
goes on with the whole matrix. So the result is that of one process, up to the order of sums,
whatever their number: statistics over a batch (batch normalisation) and random draws (dropout) are
over the whole of it without a word said.

``torchrun`` starts the processes; they talk by NCCL on CUDA, else by gloo. Without it all of this
is one process, at no cost.

Of gradients: each process differentiates its share of the loss, an equal part of it, and gradients
of parameters are summed. A block of the matrix therefore gets its gradient times the number of
processes, since all others have the same one for the parts that are not theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from polymatch.device import pick_device


def start(device: str) -> torch.device:
    """Join the other processes of this training, if there are any; return where to compute.

    With several, ``cuda`` and ``auto`` mean a GPU each.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return pick_device(device)
    picked = pick_device(device)
    if picked.type == "cuda":
        picked = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(picked)
    dist.init_process_group("nccl" if picked.type == "cuda" else "gloo")
    return picked


def stop() -> None:
    """Leave the other processes."""
    if world_size() > 1:
        dist.destroy_process_group()


def world_size() -> int:
    """Number of processes that work on this training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them, from 0; the first one writes what is written."""
    return dist.get_rank() if world_size() > 1 else 0


def share() -> slice:
    """Which rows are this process's: every n-th, so that costs are alike."""
    return slice(rank(), None, world_size())


def gather_columns(block: Tensor, count: int) -> Tensor:
    """Put the processes' blocks [N, m] of their :func:`share` of columns together: [N, count].

    Differentiable: every process must go on alike with what it gets.
    """
    return block if world_size() == 1 else _Columns.apply(block, count)


def gather_rows(part: Tensor, count: int) -> Tensor:
    """Put the processes' parts [m, ...] of their :func:`share` of rows together: [count, ...].

    Without gradients.
    """
    return part if world_size() == 1 else _gathered(part.detach(), count)


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by the sum over the processes; a missing one counts as zero."""
    if world_size() == 1:
        return
    held = list(parameters)
    for parameter in held:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.flatten() for parameter in held if parameter.grad is not None])
    dist.all_reduce(flat)
    for parameter, grad in zip(held, flat.split([p.numel() for p in held]), strict=True):
        parameter.grad = grad.view_as(parameter)


def same_everywhere(value: Any) -> Any:
    """The first process's ``value``, so that what is decided by it is decided alike."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: Tensor, count: int) -> Tensor:
        return _gathered(block.T, count).T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        return grad[:, share()] * world_size(), None


def _gathered(part: Tensor, count: int) -> Tensor:
    world = world_size()
    rows = -(-count // world)
    padded = part.new_zeros((rows, *part.shape[1:]))
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in range(world)]
    dist.all_gather(parts, padded)
    # Row r of process p is row r * world + p of all.
    return torch.stack(parts, dim=1).flatten(0, 1)[:count]
