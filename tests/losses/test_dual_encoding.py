"""The dual-encoding family's loss is the sum of its parts, each as a plain form has it."""

import pytest
import torch

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.errors import ConfigError
from polymatch.losses.dual_encoding import TrainingLoss, tag_loss
from polymatch.losses.triplet import triplet_loss
from polymatch.models.dual_encoding import Model
from polymatch.settings.dual_encoding import DualEncodingModelSettings

WORDING = ["red heart", "blue heart", "a tree", "green tree", "two red hearts"]
ITEM_ROWS = torch.tensor([0, 0, 1, 1, 2, 3])
TEXTS = torch.tensor([0, 4, 1, 0, 2, 3])  # one text names two items
NAMES = ["hinge_latent", "hinge_concept", "tags_items", "tags_captions"]


def setting(tags=True, **loss):
    torch.manual_seed(0)
    side = {"rnn_size": 3, "channels": [4], "kernels": [2], "dropout_latent": 0}
    side["dropout_concept"] = 0
    settings = DualEncodingModelSettings(
        family="dual_encoding", embed_dim=5, word_dim=4, items=side, captions=side, loss=loss
    )
    model = Model(settings, 6, (9, 7))
    rows = torch.tensor([5, 0, 1, 3, 4])
    items, texts = ITEM_ROWS[rows], TEXTS[rows]
    matches = Matches(ITEM_ROWS, TEXTS)
    frames = torch.randn(4, 3, 6)
    frames[2, 1:] = torch.nan
    concepts = torch.rand(4, 7)
    concepts[3] = 0  # the item of the first row has no tags
    return model, Batch(
        frames[items],
        torch.randint(1, 9, (5, 4)),
        matches.between(items, texts),
        items,
        texts,
        matches,
        Semantics(WORDING, ITEM_ROWS, TEXTS),
        concepts[items] if tags else None,
    )


def plain_cross_entropy(probabilities, concepts):
    """Of each row with tags: the mean over its tags."""
    rows = [row for row, tags in enumerate(concepts) if tags.sum() > 0]
    return [
        -(
            concepts[r] * probabilities[r].log() + (1 - concepts[r]) * (1 - probabilities[r]).log()
        ).mean()
        for r in rows
    ]


@pytest.mark.parametrize("hardest", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_part_is_there(reduction, hardest):
    model, batch = setting(reduction=reduction, hardest=hardest, margin=0.3)
    loss = TrainingLoss(model)
    parts = loss(model.train(), batch)
    items, captions = model.encode_items(batch.items), model.encode_captions(batch.captions)
    smaller, larger = (
        torch.stack(
            [torch.stack([pick(x, y).sum() for y in captions.concept]) for x in items.concept]
        )
        for pick in (torch.minimum, torch.maximum)
    )
    entropies = [
        torch.stack(plain_cross_entropy(side.concept, batch.concepts)) for side in (items, captions)
    ]
    assert [len(each) for each in entropies] == [4, 4]
    expected = [
        triplet_loss(matrix, batch.positives, 0.3, hardest, reduction)
        for matrix in (items.latent @ captions.latent.T, smaller / larger)
    ]
    expected += [each.sum() if reduction == "sum" else each.mean() for each in entropies]
    assert list(parts) == ["loss", *NAMES]
    for name, part in zip(NAMES, expected, strict=True):
        torch.testing.assert_close(parts[name], part)
    torch.testing.assert_close(parts["loss"], sum(expected))
    parts["loss"].backward()
    # A mean that the batch's own takes away has no gradient but rounding; all others have one.
    weights = {n: p for n, p in model.named_parameters() if not n.endswith("linear.bias")}
    assert all(p.grad.any() for n, p in weights.items() if n != "captions.embedding.weight")


def test_other_captions_of_an_item_are_no_negatives():
    model, batch = setting(margin=10)  # every negative counts, then
    parts = TrainingLoss(model)(model.train(), batch)
    items, captions = model.encode_items(batch.items), model.encode_captions(batch.captions)
    scores = items.latent @ captions.latent.T
    same = batch.positives
    assert same[1, 2] and same[2, 1] and same[1, 3]  # of one item, and of one text
    total = 0
    for row in range(5):
        own = scores[row, row]
        total += max(10 + scores[row, c] - own for c in range(5) if not same[row, c])
        total += max(10 + scores[c, row] - own for c in range(5) if not same[c, row])
    torch.testing.assert_close(parts["hinge_latent"], total / 5)


def test_without_tags_it_is_the_hinges():
    model, batch = setting()
    with_tags = TrainingLoss(model)(model.eval(), batch)
    found = TrainingLoss(model)(model, batch._replace(concepts=None))
    assert list(found) == ["loss", *NAMES[:2]]
    for name in NAMES[:2]:
        torch.testing.assert_close(found[name], with_tags[name])
    torch.testing.assert_close(found["loss"], found["hinge_latent"] + found["hinge_concept"])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_batch_without_any_tagged_item_has_no_tag_loss(reduction):
    logits = torch.randn(3, 4, requires_grad=True)
    found = tag_loss(logits, torch.zeros(3, 4), reduction)
    found.backward()
    assert found.item() == 0 and not logits.grad.any()


def test_certain_answers_stay_finite():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    found = tag_loss(logits, torch.tensor([[0.0, 1.0]]))
    found.backward()
    assert found.item() == 200 and logits.grad.tolist() == [[0.5, -0.5]]


def test_evaluation_leaves_no_trace():
    model, batch = setting()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    TrainingLoss(model).eval()(model.eval(), batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_another_number_of_tags_is_refused():
    with pytest.raises(
        ConfigError, match=r"tags of shape \[2, 3\] for a concept space of \[2, 4\]; train with the"
    ):
        tag_loss(torch.zeros(2, 4), torch.zeros(2, 3))
