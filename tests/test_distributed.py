"""Several processes: blocks put together, and gradients that are those of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from polymatch import distributed
from polymatch.losses import daa_loss
from polymatch.losses.triplet import triplet_loss
from polymatch.models import build_model
from polymatch.settings.families import parse_model

COLUMNS = 7


def own_columns(weights, items, captions):
    """A similarity whose columns are shared out, as the alignment family's."""
    mine = captions[distributed.share_of(len(captions))]
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


def trained(module):
    """Scores, statistics and gradients of a small model of the alignment family, with dropout."""
    torch.manual_seed(0)
    sizes = {"embed_dim": 6, "sim_dim": 5, "word_dim": 4}
    entry = {"family": "alignment", "module": module, **sizes, "loss": {"daa_weight": 1}}
    model = build_model(parse_model(json.dumps(entry)), (3, 8), 20).double().train()
    lengths = torch.tensor([3, 1, 5, 2, 3, 4, 5])
    words = torch.randint(1, 20, (COLUMNS, 5)) * (torch.arange(5) < lengths[:, None])
    items = model.encode_items(torch.randn(COLUMNS, 3, 8).double())
    scores = model.similarity(items, model.encode_captions(words))
    eye = torch.eye(COLUMNS) > 0
    loss = triplet_loss(scores, eye) + daa_loss(scores, torch.randn(COLUMNS, COLUMNS).double())
    (loss / distributed.world_size()).backward()
    distributed.sum_gradients(model.parameters())
    running = [buffer for name, buffer in model.named_buffers() if "running" in name]
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return [scores.detach(), loss.detach(), *running, *gradients]


def work(folder):
    """What one of several processes finds, in a file."""
    assert distributed.start("cpu") == torch.device("cpu")
    rank = distributed.rank()
    rows = torch.arange(COLUMNS * 2).view(COLUMNS, 2)
    found = {
        "plain": differentiated(False),
        "double": differentiated(True),
        "saf": trained("saf"),
        "sgr": trained("sgr"),
        "rows": distributed.gather_rows(rows[distributed.share_of(COLUMNS)], COLUMNS),
        "told": distributed.same_everywhere({"rank": rank}),
        "rank": rank,
    }
    torch.save(found, Path(folder) / f"{rank}.pt")
    distributed.stop()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of three processes finds; they have unequal shares of seven columns."""
    folder = tmp_path_factory.mktemp("processes")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3", __file__]
    library = str(Path(__file__).parents[1] / "workflow")
    subprocess.run(
        [sys.executable, *command, str(folder)],
        env=os.environ | {"PYTHONPATH": library, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(3)]


@pytest.mark.parametrize("use", ["plain", "double"])
def test_loss_and_gradients_are_those_of_one_process(found, use):
    alone = differentiated(use == "double")
    for each in found:
        for ours, theirs in zip(each[use], alone, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("module", ["saf", "sgr"])
def test_a_batch_is_trained_on_as_by_one_process(found, module):
    """Batch normalisation and dropout are over the whole batch, whoever scores which pairs."""
    alone = trained(module)
    assert any(tensor.abs().max() > 1e-3 for tensor in alone[2:])
    for each in found:
        for ours, theirs in zip(each[module], alone, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-8)


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


if __name__ == "__main__":
    work(sys.argv[1])
