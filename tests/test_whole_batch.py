"""Layers that see a share of a batch against the same layers that see all of it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from polymatch import distributed
from polymatch.errors import ConfigError, DataError
from polymatch.whole_batch import can_be_shared, longest, whole_batch

from .processes import together

ROWS, PLACES, WIDTH = 7, 3, 4


class Layers(nn.Module):
    """What depends on a whole batch: statistics of vectors and of sequences, and masks of both."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(WIDTH, 6)
        self.norm, self.places = nn.BatchNorm1d(6), nn.BatchNorm1d(PLACES, affine=False)
        self.untracked = nn.BatchNorm1d(6, track_running_stats=False)
        self.dropout, self.inplace = nn.Dropout(0.4), nn.Dropout(0.3, inplace=True)

    def forward(self, x):
        each = self.places(self.dropout(self.first(x)))  # [m, PLACES, 6]
        # Laid out by width first: a mask is drawn in the order of memory.
        turned = self.dropout(each.transpose(1, 2)).amax(2)
        heads = F.dropout(turned.new_ones(len(turned), 2, 1), 0.5)
        mean = self.inplace(self.untracked(self.norm(turned)) + 1)
        return (mean.unflatten(1, (2, 3)) * heads).flatten(1)


def worked(shared):
    """Output, gradients and buffers of two batches, shared out or not."""
    torch.manual_seed(0)
    layers = Layers().double()
    found = []
    for _ in range(2):
        x = torch.randn(ROWS, PLACES, WIDTH, dtype=torch.float64, requires_grad=True)
        if shared:
            with whole_batch(ROWS):
                part = layers(x[distributed.share_of(ROWS)])
            out = distributed.gather_rows(part, ROWS)
        else:
            out = layers(x)
        loss = (out @ out.T).softmax(1).diagonal().square().sum()
        layers.zero_grad()
        (loss / distributed.world_size()).backward()
        learnt = [x, *layers.parameters()]
        distributed.sum_gradients(learnt)
        found += [out.detach(), *(tensor.grad.clone() for tensor in learnt)]
    # What is drawn next is the same too.
    return [*found, *(buffer.clone() for buffer in layers.buffers()), torch.randn(3)]


def check_layers(expected):
    for ours, theirs in zip(worked(True), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


def check_evaluation():
    layers = Layers().eval()
    x = torch.randn(ROWS, PLACES, WIDTH)
    layers.untracked.eval()
    with whole_batch(ROWS):
        ours = layers.norm(layers.first(x)[distributed.share_of(ROWS), 0])
    expected = layers.norm(layers.first(x)[:, 0])
    torch.testing.assert_close(distributed.gather_rows(ours, ROWS), expected)


def check_gathering():
    """Rows of any kind come back in order; gradients are sums of what all made of them."""
    number, world = distributed.rank(), distributed.world_size()
    own = distributed.share_of(ROWS)
    rows = torch.arange(ROWS * 2.0).view(ROWS, 2).requires_grad_()
    encoded = (rows[own], (rows[own, 0] > 5, torch.arange(ROWS)[own]))
    every, (mask, counted) = distributed.gather_encoded(encoded, ROWS)
    assert torch.equal(every, rows) and torch.equal(counted, torch.arange(ROWS))
    assert torch.equal(mask, rows[:, 0] > 5)
    (every * (number + 1)).sum().backward()
    distributed.sum_gradients([rows])
    assert torch.equal(rows.grad, torch.full((ROWS, 2), world * (world + 1) / 2.0))
    few = torch.randn(world - 1, 2)
    assert distributed.share_of(len(few)) == slice(None)
    assert distributed.gather_rows(few, len(few)) is few


def check_lengths():
    lengths = torch.tensor([3, 9, 4, 1, 5, 2, 6])
    assert longest(lengths) is None
    with whole_batch(ROWS):
        assert longest(lengths[distributed.share_of(ROWS)]) == 9


def check_missing_gradients():
    """What nobody has a gradient of has none; what some have one of has a sum."""
    nobody, some = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    if distributed.rank() == 0:
        some.sum().backward()
    distributed.sum_gradients([nobody, some])
    assert nobody.grad is None and torch.equal(some.grad, torch.ones(2))


def check_disagreement():
    number = distributed.rank()
    with pytest.raises(DataError, match=r"^process 1 of 3 has other data than process 0; give"):
        distributed.check_agreement(str(number), "data")
    distributed.check_agreement("same", "data")
    assert distributed.spread(float(number)) == 2.0
    layer = nn.BatchNorm1d(2)
    layer.running_mean.fill_(number)
    distributed.take_first(layer)
    assert not layer.running_mean.any()


def everything(expected):
    check_layers(expected)
    check_evaluation()
    check_gathering()
    check_lengths()
    check_missing_gradients()
    check_disagreement()


def test_three_processes_do_what_one_does():
    assert together(3, everything, worked(False)) == [0, 0, 0]


def test_alone_a_share_is_all_of_it():
    for ours, theirs in zip(worked(True), worked(False), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x + torch.randn_like(x),
        lambda x: x + torch.rand(len(x), 1),
        lambda x: x * torch.empty_like(x).bernoulli_(0.5),
        lambda x: F.dropout1d(x, 0.5),
        lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    ],
)
def test_numbers_that_would_be_drawn_for_a_share_alone_are_refused(draw):
    with (
        pytest.raises(ConfigError, match=r"^training.processes: the model draws random .* by"),
        whole_batch(ROWS),
    ):
        draw(torch.ones(ROWS, PLACES, WIDTH))


def test_layers_that_draw_by_themselves_are_known():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1)
    assert not can_be_shared(nn.Sequential(layer))
    assert not can_be_shared(nn.GRU(4, 4, 2, dropout=0.1))
    assert not can_be_shared(nn.AlphaDropout(0.1))
    assert can_be_shared(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0))
    assert can_be_shared(nn.Sequential(nn.GRU(4, 4), nn.Dropout(0.1), nn.BatchNorm1d(4)))
