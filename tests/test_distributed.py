"""Several processes: blocks put together, and gradients that are those of one process."""

import os
import socket

import pytest
import torch
from torch import multiprocessing

from polymatch import distributed

COLUMNS = 7


def own_columns(weights, items, captions):
    """A similarity whose columns are shared out, as the alignment family's."""
    mine = captions[distributed.share()]
    block = torch.tanh((items * weights) @ mine.T)
    return distributed.gather_columns(block, len(captions))


def differentiated(double_use):
    """The loss and the gradients of a small network, by however many processes there are."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(4))
    shared = torch.nn.Linear(4, 4)
    scale = torch.nn.Parameter(torch.tensor(1.5))  # seen only after the matrix is whole
    inputs = torch.randn(5, 4), torch.randn(COLUMNS, 4)
    items, captions = (shared(x) for x in inputs)
    loss = (own_columns(weights, items, captions) * scale).square().sum()
    if double_use:
        loss = loss + items.square().sum()
    parameters = [weights, scale, *shared.parameters()]
    (loss / distributed.world_size()).backward()
    distributed.sum_gradients(parameters)
    return [loss.detach(), *(parameter.grad for parameter in parameters)]


def work(rank, world, port, folder):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": str(world), "RANK": str(rank)}
    assert distributed.start("cpu") == torch.device("cpu")
    rows = torch.arange(COLUMNS * 2).view(COLUMNS, 2)
    found = {
        "plain": differentiated(False),
        "double": differentiated(True),
        "rows": distributed.gather_rows(rows[distributed.share()], COLUMNS),
        "told": distributed.same_everywhere({"rank": rank}),
        "rank": distributed.rank(),
    }
    torch.save(found, folder / f"{rank}.pt")
    distributed.stop()


@pytest.fixture(scope="module", params=[3])
def found(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(work, (request.param, port, folder), nprocs=request.param)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(request.param)]


@pytest.mark.parametrize("use", ["plain", "double"])
def test_loss_and_gradients_are_those_of_one_process(found, use):
    alone = differentiated(use == "double")
    for each in found:
        for ours, theirs in zip(each[use], alone, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_rows_come_back_in_their_order(found):
    rows = torch.arange(COLUMNS * 2).view(COLUMNS, 2)
    assert all(torch.equal(each["rows"], rows) for each in found)


def test_what_is_decided_is_decided_by_the_first(found):
    assert [each["rank"] for each in found] == list(range(len(found)))
    assert all(each["told"] == {"rank": 0} for each in found)


def test_alone_nothing_is_gathered():
    block = torch.randn(3, COLUMNS)
    assert distributed.gather_columns(block, COLUMNS) is block
    assert distributed.gather_rows(block, 3) is block
    assert distributed.same_everywhere("told") == "told"
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
