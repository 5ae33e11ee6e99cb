"""The optimiser of every family: AdamW, without loading torch's compiler.

torch's optimisers import ``torch._dynamo`` at their first step, only to tell a compiler that is
not running to stay out. That takes one to two seconds, as long as the whole training of a small
head on few items. What they compute is not changed.
"""

from __future__ import annotations

import inspect

import torch

from polymatch.settings.model import TrainingSettings


def make_optimiser(
    parameters: list[torch.nn.Parameter], settings: TrainingSettings
) -> torch.optim.Optimizer:
    """AdamW of all parameters; those without a dimension (learnt temperatures) do not decay."""
    groups = [
        {"params": [p for p in parameters if p.ndim], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if not p.ndim], "weight_decay": 0.0},
    ]
    return _AdamW([group for group in groups if group["params"]], lr=settings.lr)


class _AdamW(torch.optim.AdamW):
    # Of the wrappers only this one is left: no gradient is taken of a step.
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)
