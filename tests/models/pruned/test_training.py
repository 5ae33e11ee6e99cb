"""Trained again: what was pruned stays zero to the last bit, through any optimiser's state."""

import pytest
import torch

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.losses import dual_encoding
from polymatch.losses.pruned import TrainingLoss
from polymatch.models.pruned.magnitude import pruned_tensors
from polymatch.models.pruned.parts import modules_of

from .examples import TAGS, dual_encoder, inputs, pruned


def batch(seed):
    frames, words = inputs(12, 12, seed=seed)
    concepts = torch.rand(12, TAGS, generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(12)
    positives, semantics = torch.eye(12, dtype=torch.bool), Semantics([], rows, rows)
    return Batch(frames, words, positives, rows, rows, Matches(rows, rows), semantics, concepts)


def steps(model, optimiser, numbers):
    loss = TrainingLoss(model)
    model.train()
    for number in numbers:
        torch.manual_seed(number)
        found = loss(model, batch(number))
        optimiser.zero_grad(set_to_none=True)
        found["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        loss.after_step(model)
    model.eval()


def adam(model):
    return torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)


def zeros(model, biases):
    tensors = pruned_tensors(modules_of(model.inner, model.settings.parts), biases)
    return [(tensor == 0).clone() for tensor in tensors], tensors


@pytest.mark.parametrize("biases", [False, True])
def test_what_was_pruned_stays_zero_and_the_rest_learns(biases):
    model = pruned(dual_encoder(), rate=0.4, biases=biases, fine_tune=True)
    before, tensors = zeros(model, biases)
    first = [tensor.detach().clone() for tensor in tensors]
    steps(model, adam(model), range(5))
    for mask, tensor, old in zip(before, tensors, first, strict=True):
        assert not tensor[mask].any()
        assert mask.all() or not torch.equal(tensor, old)
        # Not one more zero: what is left is trained like any weight.
        assert torch.equal(tensor == 0, mask)


def test_a_training_that_goes_on_from_its_state_keeps_them_zero_too():
    member = dual_encoder()
    whole = pruned(member, rate=0.4, fine_tune=True)
    steps(whole, optimiser := adam(whole), range(2))
    state, moments = whole.state_dict(), optimiser.state_dict()
    state = {name: tensor.clone() for name, tensor in state.items()}
    again = pruned(member, rate=0.4, fine_tune=True)
    again.load_state_dict(state)
    again.attach(whole.attachments())
    resumed = adam(again)
    resumed.load_state_dict(moments)
    assert zeros(again, False)[0][0].any()
    steps(again, resumed, range(2, 4))
    before, tensors = zeros(pruned(member, rate=0.4), False)[0], zeros(again, False)[1]
    for mask, tensor in zip(before, tensors, strict=True):
        assert torch.equal(tensor == 0, mask)


def test_units_that_were_taken_out_stay_out():
    model = pruned(dual_encoder(), method="units", rate=0.5, fine_tune=True)
    settings = model.inner.settings
    steps(model, adam(model), range(2))
    assert model.inner.settings == settings and model.inner.items.levels.rnn.hidden_size == 3


def test_the_loss_is_that_of_the_dual_encoder_in_it():
    model = pruned(dual_encoder(), rate=0.3).eval()
    expected = dual_encoding.TrainingLoss(model.inner)(model.inner, batch(0))
    found = TrainingLoss(model)(model, batch(0))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_no_mask_is_stored_nor_held_where_nothing_is_trained():
    model = pruned(dual_encoder(), rate=0.3, fine_tune=True)
    assert all(name.startswith("inner.") for name in model.state_dict())
    assert any(name.startswith("kept") for name, _ in model.named_buffers())
    still = pruned(dual_encoder(), rate=0.3)
    assert not any(name.startswith("kept") for name, _ in still.named_buffers())
