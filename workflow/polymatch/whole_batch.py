"""Layers that are given a process's share of a batch and act as one process's do on all of it.

Most layers take every row by itself, and need nothing. Of the others, inside :func:`whole_batch`:

* Dropout: the mask is drawn for all rows, as one process draws it, and each takes its share's.
* Batch normalisation: mean and variance are over all rows, with their gradients, and the running
  statistics take the step that one process's take. (``nn.SyncBatchNorm`` does so on GPUs alone.)

Both are what ``torch.nn.functional`` has, caught where they are called: a head needs not know. A
layer that draws random numbers in another way cannot be caught; :func:`can_be_shared` says so of
those that torch has, whose models are then given whole batches, and the rest is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from polymatch import distributed
from polymatch.errors import ConfigError

_COUNT: ContextVar[int | None] = ContextVar("rows of the whole batch", default=None)
# Names of torch's functions that draw random numbers, but for dropout.
_DRAWS = {
    *("bernoulli", "bernoulli_", "multinomial", "normal", "normal_", "uniform_", "exponential_"),
    *("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm"),
    *("alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d"),
    *("gumbel_softmax", "rrelu"),
}


@contextmanager
def whole_batch(count: int) -> Iterator[None]:
    """Let layers see this process's share of ``count`` rows as what it is a share of.

    Raises:
        ConfigError: within, from a layer that draws random numbers for its rows alone.
    """
    token = _COUNT.set(count)
    try:
        with _Layers(count):
            yield
    finally:
        _COUNT.reset(token)


def longest(lengths: Tensor) -> int | None:
    """The largest length [m] of the whole batch; None outside of one, where one's own counts."""
    return None if _COUNT.get() is None else distributed.largest(lengths.max())


def can_be_shared(model: nn.Module) -> bool:
    """Whether the layers of a model draw no random numbers but in ways that are known here."""
    for module in model.modules():
        kind = type(module)
        if isinstance(module, nn.modules.dropout._DropoutNd) and kind is not nn.Dropout:
            return False
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase) and module.dropout:
            return False
    return True


class _Layers(TorchFunctionMode):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.own = distributed.share_of(count)
        self.rows = len(range(count)[self.own])

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in _DRAWS or (
            func is F.scaled_dot_product_attention and kwargs.get("dropout_p", 0)
        ):
            raise ConfigError(
                f"training.processes: the model draws random numbers by torch's {name} while it "
                "encodes, which cannot be shared out; draw them by dropout or in the loss, or set "
                "it to 1"
            )
        return func(*args, **kwargs)

    def _dropout(
        self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        # What is not of this share's rows is the same for all processes, and so is its mask.
        if not training or not 0 < p < 1 or len(x) != self.rows:
            return F.dropout(x, p, training, inplace)
        mask = F.dropout(_filled(x, self.count), p)[self.own]
        return x.mul_(mask) if inplace else x * mask

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training or len(x) != self.rows:
            return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        shape = [1, -1, *[1] * (x.ndim - 2)]
        others = [0, *range(2, x.ndim)]
        number = self.count * math.prod(x.shape[2:])
        mean = distributed.sum_over_processes(x.sum(others)) / number
        centred = x - mean.view(shape)
        variance = distributed.sum_over_processes(centred.square().sum(others)) / number
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean, momentum)
                running_var.lerp_(variance * (number / (number - 1)), momentum)
        normal = centred * (variance + eps).rsqrt().view(shape)
        normal = normal if weight is None else normal * weight.view(shape)
        return normal if bias is None else normal + bias.view(shape)


def _filled(x: Tensor, count: int) -> Tensor:
    """Ones [count, ...] laid out like ``x`` [m, ...]: a mask is drawn in the order of memory."""
    shape = (count, *x.shape[1:])
    if x.is_contiguous():
        return x.new_ones(shape)
    strides = x.stride()
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    return torch.empty_permuted(shape, order, dtype=x.dtype, device=x.device).fill_(1)
