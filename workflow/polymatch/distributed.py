"""Several processes that train one model, to the result of one process.

A batch is one for all of them. Each reads and encodes its share of the rows (:func:`share_of`);
the encodings are put together, with their gradients, and each goes on with all of them: the loss,
a queue, a draw of samples see the batch as one process does. Layers that look at a whole batch, or
draw random numbers for it, do so of all its rows (:mod:`.whole_batch`). Where the similarity of
every item with every caption is what is dear (family ``alignment``), it is split by captions and
put together as well. Weights, random numbers and the order of captions are the same everywhere, so
the result is that of one process, up to the order of sums, whatever their number.

``torchrun`` starts the processes, on one machine or on several; they talk by NCCL on CUDA, else by
gloo. Without it all of this is one process, at no cost.

Of gradients: what is minimised is the sum of the processes' losses, an equal part of the loss each,
and gradients of parameters are summed. So the gradient of what was put together is the sum over the
processes of what each has made of it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from polymatch.device import pick_device
from polymatch.errors import ConfigError, DataError

_LOOK_SECONDS = 0.5


def start(device: str) -> torch.device:
    """Join the other processes of this training, if there are any; return where to compute.

    With several, ``cuda`` and ``auto`` mean a GPU each; ``auto`` is the CPU on a Mac.

    Raises:
        ConfigError: there are not as many GPUs as processes on this machine, or they are to compute
            on what several processes cannot share.
    """
    picked = pick_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return picked
    if picked.type == "mps":
        if device != "auto":
            raise ConfigError(
                "device: 'mps' is for one process; set `training.processes: 1` or `device: cpu`"
            )
        picked = torch.device("cpu")
    if picked.type == "cuda":
        place, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= gpus:
            raise ConfigError(
                f"training.processes: process {place + 1} of this machine has no GPU, of which "
                f"there are {gpus}; set it to {gpus} or `device: cpu`"
            )
        picked = torch.device("cuda", place)
        torch.cuda.set_device(picked)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
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


def shared_out(count: int) -> bool:
    """Whether so many rows are shared out: there are several processes, and a row for each."""
    return 1 < world_size() <= count


def share_of(count: int) -> slice:
    """Which of ``count`` rows are this process's: every n-th, or all that are not shared out."""
    return slice(rank(), None, world_size()) if shared_out(count) else slice(None)


def gather_columns(block: Tensor, count: int) -> Tensor:
    """Put the processes' blocks [N, m] of their :func:`share_of` the columns together: [N, count].

    Differentiable: every process must go on alike with what it gets.
    """
    return _Columns.apply(block, count) if shared_out(count) else block


def gather_rows(part: Tensor, count: int) -> Tensor:
    """Put the processes' parts [m, ...] of their :func:`share_of` the rows together: [count, ...].

    Differentiable, whatever each process does with them.
    """
    return _Rows.apply(part, count) if shared_out(count) else part


def gather_encoded(encoded: Any, count: int) -> Any:
    """Of a tensor, or a (named) tuple of such, :func:`gather_rows` of each."""
    if isinstance(encoded, Tensor):
        return gather_rows(encoded, count)
    parts = (gather_encoded(part, count) for part in encoded)
    return type(encoded)(*parts) if hasattr(encoded, "_fields") else tuple(parts)


def sum_over_processes(part: Tensor) -> Tensor:
    """Sum of the processes' tensors; differentiable."""
    return part if world_size() == 1 else _Sum.apply(part)


def largest(number: Tensor) -> int:
    """The largest of the processes' whole numbers."""
    if world_size() > 1:
        number = number.clone()
        dist.all_reduce(number, dist.ReduceOp.MAX)
    return int(number)


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by the sum over the processes; one that nobody has stays missing."""
    if world_size() == 1:
        return
    held = list(parameters)
    # Optimisers leave alone what has no gradient: a zero in its place would let weights decay.
    there = torch.tensor([float(p.grad is not None) for p in held], device=held[0].device)
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
    flat = torch.cat([there, *(grad.flatten() for grad in grads)])
    dist.all_reduce(flat)
    there, *parts = flat.split([len(held), *(p.numel() for p in held)])
    for parameter, known, grad in zip(held, there.tolist(), parts, strict=True):
        parameter.grad = grad.view_as(parameter) if known else None


def same_everywhere(value: Any) -> Any:
    """The first process's ``value``, so that what is decided by it is decided alike."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def check_agreement(value: str, what: str) -> None:
    """Refuse to train if the processes do not agree; all of them must ask.

    Raises:
        DataError: on every process, if ``value`` is not the first one's.
    """
    if world_size() == 1:
        return
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    for number, other in enumerate(values):
        if other != values[0]:
            raise DataError(
                f"process {number} of {world_size()} has other {what} than process 0; give every "
                "machine the same files and the same code, best on a shared file system"
            )


def spread(number: float) -> float:
    """How far apart the processes' numbers are."""
    numbers = [number] * world_size()
    if world_size() > 1:
        dist.all_gather_object(numbers, number)
    return max(numbers) - min(numbers)


def take_first(module: nn.Module) -> None:
    """Give a module of every process the first one's weights and buffers."""
    if world_size() > 1:
        with torch.no_grad():
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor, 0)


def _leave_with(parent: int) -> None:
    """End this process when the one that started it is gone.

    torchrun that is killed leaves its processes behind, which would go on to write what the next
    attempt writes too.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: Tensor, count: int) -> Tensor:
        ctx.own = share_of(count)
        return _gathered(block.T, count).T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        # All have made the same of it: no sum need be asked for.
        return grad[:, ctx.own] * world_size(), None


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, count: int) -> Tensor:
        ctx.own = share_of(count)
        return _gathered(part, count)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        return _summed(grad)[ctx.own], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        return _summed(part)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,) = grads
        return _summed(grad)


def _summed(part: Tensor) -> Tensor:
    total = part.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def _gathered(part: Tensor, count: int) -> Tensor:
    world = world_size()
    rows = -(-count // world)
    padded = part.new_zeros((rows, *part.shape[1:]))
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in range(world)]
    dist.all_gather(parts, padded)
    # Row r of process p is row r * world + p of all.
    return torch.stack(parts, dim=1).flatten(0, 1)[:count]
