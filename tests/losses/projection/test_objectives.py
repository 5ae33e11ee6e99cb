"""Every loss of the projection family against a slow form that is written down pair by pair."""

import importlib
import math

import pytest
import torch

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.data.splits import TrainingSet
from polymatch.models import build_model
from polymatch.settings.families import families
from polymatch.training.batches import Batches

HEADS = {
    "mlp": {"output_dim": 6, "hidden_dim": 8, "dropout": 0.0},
    "align": {"output_dim": 6, "hidden_dim": 8, "dropout": 0.0},
    "cross_modal": {"output_dim": 6, "hidden_dim": 8, "num_heads": 2, "dropout": 0.0},
}
# Items 0 and 1 have two captions each; captions 2 and 4 read the same.
ITEMS, TEXTS = torch.tensor([0, 0, 1, 1, 2, 3]), torch.tensor([0, 1, 2, 3, 2, 4])
RIGHT = {(0, 0), (0, 1), (1, 2), (1, 3), (2, 2), (3, 4)}


def built(loss, head="mlp", seed=0):
    torch.manual_seed(seed)
    settings = families()["projection"].model_validate(
        {"family": "projection", "head": {"type": head} | HEADS[head], "loss": loss}
    )
    model = build_model(settings, 7, 5)
    return model, importlib.import_module(settings.loss_module).TrainingLoss(model)


def batch(rows=None, seed=1):
    generator = torch.Generator().manual_seed(seed)
    items, captions = torch.randn(4, 7, generator=generator), torch.randn(6, 5, generator=generator)
    data = TrainingSet(items.numpy(), captions.numpy(), ITEMS.numpy(), TEXTS.numpy())
    whole = Batches(data, 6, torch.device("cpu"))
    return whole.gather(torch.arange(6) if rows is None else torch.tensor(rows))


def similarities(model, some):
    return model.similarity(model.encode_items(some.items), model.encode_captions(some.captions))


def is_right(item, text):
    return (int(item), int(text)) in RIGHT


def slow_softmax(logits, right, extra=None):
    """Mean over queries of the mean of -log p over their right answers; ``extra`` candidates."""
    total = 0.0
    for row in range(len(logits)):
        candidates = list(logits[row]) + ([] if extra is None else extra[row])
        lse = torch.logsumexp(torch.stack(candidates), 0)
        answers = [lse - logits[row, j] for j in range(logits.shape[1]) if right[row][j]]
        total += sum(answers) / len(answers)
    return total / len(logits)


def table(some):
    return [[is_right(i, t) for t in some.texts] for i in some.item_rows]


def transposed(rows):
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("head", HEADS)
def test_softmax_knows_all_captions_of_an_item(head):
    model, loss = built({"type": "softmax", "tau": 0.2}, head)
    some, right = batch(), table(batch())
    logits = similarities(model, some) / 0.2
    expected = slow_softmax(logits, right) + slow_softmax(logits.T, transposed(right))
    parts = loss(model, some)
    torch.testing.assert_close(parts["loss"], expected)
    assert float(parts["temperature"]) == pytest.approx(0.2)


@pytest.mark.parametrize("learnable", [False, True])
def test_sigmoid_asks_every_pair_by_itself(learnable):
    model, loss = built({"type": "sigmoid", "tau": 0.1, "bias": -3.0, "learnable": learnable})
    some = batch()
    logits, right = similarities(model, some) / 0.1 - 3.0, table(some)
    expected = 0.0
    for i in range(6):
        for j in range(6):
            sign = 1 if right[i][j] else -1
            expected -= torch.nn.functional.logsigmoid(sign * logits[i, j]) / 6
    torch.testing.assert_close(loss(model, some)["loss"], expected)


@pytest.mark.parametrize("kind", ["sigmoid", "softmax", "queue", "align", "blip"])
def test_a_learnt_temperature_is_learnt_and_a_fixed_one_is_not(kind):
    for learnable in (True, False):
        model, loss = built({"type": kind, "tau": 0.1, "learnable": learnable})
        before = float(loss(model, batch())["temperature"])
        trained = [*model.parameters(), *(p for p in loss.parameters() if p.requires_grad)]
        optimiser = torch.optim.SGD(trained, lr=0.1)
        loss(model, batch())["loss"].backward()
        optimiser.step()
        after = float(loss(model, batch())["temperature"])
        assert (after != before) == learnable, (before, after)
        assert before == pytest.approx(0.1)


def test_align_smooths_labels():
    model, loss = built({"type": "align", "tau": 0.5, "smoothing": 0.3, "learnable": False})
    some = batch()
    logits, right = similarities(model, some) / 0.5, table(some)
    uniform = sum(-x.log_softmax(-1).mean() for x in (logits, logits.T))
    hard = slow_softmax(logits, right) + slow_softmax(logits.T, transposed(right))
    torch.testing.assert_close(loss(model, some)["loss"], 0.7 * hard + 0.3 * uniform)


def test_losses_do_not_depend_on_the_order_of_the_pairs():
    order = [3, 0, 5, 1, 4, 2]
    for kind in ("sigmoid", "softmax", "align", "blip", "queue"):
        model, loss = built({"type": kind})
        first = loss(model, batch())["loss"]
        model, loss = built({"type": kind})
        torch.testing.assert_close(loss(model, batch(order))["loss"], first)


def random_batch(size, seed, n_items=1000):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(n_items, generator=generator)[:size]
    matches = Matches(torch.arange(n_items), torch.arange(n_items))
    return Batch(
        torch.randn(size, 7, generator=generator),
        torch.randn(size, 5, generator=generator),
        matches.between(rows, rows),
        rows,
        rows,
        matches,
        Semantics([], rows, rows),
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("size", [3, 7, 16])
def test_the_queue_holds_the_last_pairs_whatever_the_batches(head, size):
    """Wraps without dropping: against a list that is cut to its last entries."""
    model, loss = built({"type": "queue", "queue_size": size}, head)
    kept = []
    for step, n in enumerate([2, 3, 5, 2, 20, 4, 6]):
        some = random_batch(n, seed=step)
        with torch.no_grad():
            model.train()
            items, captions = model.encode_items(some.items), model.encode_captions(some.captions)
            loss(model, some)
        kept += list(zip(some.item_rows.tolist(), items, captions, strict=True))
        kept = kept[-size:]
        queue = loss.queue
        assert int(queue.filled.sum()) == len(kept)
        held = sorted(
            (int(row), i.tolist(), c.tolist())
            for row, i, c in zip(queue.item_rows, queue.items, queue.captions, strict=True)
            if row >= 0
        )
        expected = sorted((row, i.tolist(), c.tolist()) for row, i, c in kept)
        assert [row for row, _, _ in held] == [row for row, _, _ in expected]
        for ours, theirs in zip(held, expected, strict=True):
            assert ours[1] == pytest.approx(theirs[1], abs=1e-5)
            assert ours[2] == pytest.approx(theirs[2], abs=1e-5)


def test_the_queue_masks_empty_slots_and_never_takes_a_right_answer_for_wrong():
    tau = 0.3
    model, loss = built({"type": "queue", "queue_size": 5, "tau": tau})
    first, second = batch([0, 3]), batch([1, 4])
    logits = similarities(model, first) / tau
    right = table(first)
    alone = slow_softmax(logits, right) + slow_softmax(logits.T, transposed(right))
    torch.testing.assert_close(loss(model, first)["loss"], alone)  # nothing waits yet
    logits, right = similarities(model, second) / tau, table(second)
    items, captions = model.encode_items(second.items), model.encode_captions(second.captions)
    old_items, old_captions = model.encode_items(first.items), model.encode_captions(first.captions)
    to_captions = model.similarity(items, old_captions) / tau
    to_items = model.similarity(old_items, captions).T / tau
    extra_captions = [
        [to_captions[i, j] for j in range(2) if not is_right(item, first.texts[j])]
        for i, item in enumerate(second.item_rows)
    ]
    extra_items = [
        [to_items[i, j] for j in range(2) if not is_right(first.item_rows[j], text)]
        for i, text in enumerate(second.texts)
    ]
    assert {len(row) for row in extra_captions + extra_items} == {1, 2}  # some are right answers
    expected = slow_softmax(logits, right, extra_captions)
    expected = expected + slow_softmax(logits.T, transposed(right), extra_items)
    torch.testing.assert_close(loss(model, second)["loss"], expected)


def test_the_queue_rests_in_evaluation():
    model, loss = built({"type": "queue", "queue_size": 8})
    loss(model, batch())
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.eval()
    softmax = built({"type": "softmax"})[1]
    torch.testing.assert_close(loss(model, batch())["loss"], softmax(model, batch())["loss"])
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())


@pytest.mark.parametrize("head", HEADS)
def test_the_momentum_copy_follows_slowly(head):
    model, loss = built({"type": "blip", "momentum": 0.9, "alpha": 0.4, "tau": 0.2}, head)
    start = [p.detach().clone() for p in model.parameters()]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    model.train()
    loss.train()
    loss(model, batch())["loss"].backward()
    optimiser.step()
    loss.after_step(model)
    for was, slow, now in zip(start, loss.copy.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(slow, 0.9 * was + 0.1 * now)
        assert not slow.requires_grad
    for slow, now in zip(loss.copy.buffers(), model.buffers(), strict=True):
        assert torch.equal(slow, now)
    assert not loss.copy.training
    model.eval()
    some, right = batch(), table(batch())
    items, captions = model.encode_items(some.items), model.encode_captions(some.captions)
    with torch.no_grad():
        slow = loss.copy.encode_items(some.items), loss.copy.encode_captions(some.captions)
    own = model.similarity(items, captions) / 0.2
    to_captions, to_items = (
        model.similarity(items, slow[1]) / 0.2,
        model.similarity(slow[0], captions) / 0.2,
    )
    expected = 0.6 * (slow_softmax(own, right) + slow_softmax(own.T, transposed(right)))
    expected = expected + 0.4 * (
        slow_softmax(to_captions, right) + slow_softmax(to_items.T, transposed(right))
    )
    torch.testing.assert_close(loss(model, some)["loss"], expected)


def test_without_alpha_there_is_no_momentum_in_the_loss():
    model, loss = built({"type": "blip", "alpha": 0.0, "tau": 0.07})
    softmax = built({"type": "softmax", "tau": 0.07})[1]
    torch.testing.assert_close(loss(model, batch())["loss"], softmax(model, batch())["loss"])


def test_a_constant_head_has_the_loss_of_chance():
    model, loss = built({"type": "softmax"})
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim:
                parameter.zero_()
    some = batch([0, 5])
    assert loss(model, some)["loss"].item() == pytest.approx(2 * math.log(2), abs=1e-4)
