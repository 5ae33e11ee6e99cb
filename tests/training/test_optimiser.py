import subprocess
import sys

import pytest
import torch

from polymatch.settings.model import TrainingSettings
from polymatch.training.optimiser import make_optimiser

SETTINGS = TrainingSettings(lr=0.01, weight_decay=0.3)


def parameters():
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (3,), ()]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def take(optimiser, weights, steps):
    """Steps with a loss in which every parameter counts; gradients are cleared after each."""
    for _ in range(steps):
        sum((weight**3).sum() for weight in weights).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert all(weight.grad is None for weight in weights)


def adamw(weights):
    """torch's own, of the same groups."""
    groups = [{"params": weights[:2], "weight_decay": 0.3}]
    groups += [{"params": weights[2:], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=SETTINGS.lr)


def test_it_is_adamw_to_the_bit():
    ours, theirs = parameters(), parameters()
    take(make_optimiser(ours, SETTINGS), ours, 5)
    take(adamw(theirs), theirs, 5)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(ours, parameters(), strict=True))


@pytest.mark.parametrize("first", [adamw, lambda weights: make_optimiser(weights, SETTINGS)])
@pytest.mark.parametrize("second", [adamw, lambda weights: make_optimiser(weights, SETTINGS)])
def test_a_state_goes_on_in_either(first, second):
    whole, halves = parameters(), parameters()
    take(adamw(whole), whole, 4)
    before = first(halves)
    take(before, halves, 2)
    after = second(halves)
    after.load_state_dict(before.state_dict())
    take(after, halves, 2)
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))


def test_no_compiler_is_loaded_for_it():
    program = """
import sys, torch
from polymatch.settings.model import TrainingSettings
from polymatch.training.optimiser import make_optimiser
weight = torch.nn.Parameter(torch.ones(2))
optimiser = make_optimiser([weight], TrainingSettings())
optimiser.load_state_dict(optimiser.state_dict())
weight.sum().backward()
optimiser.step()
optimiser.zero_grad()
print(weight.tolist() != [1, 1], "torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True False\n", done.stderr
