"""The alignment family's loss is the sum of its parts, each as its own module has it."""

import pytest
import torch
from torch import nn

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.losses.alignment import TrainingLoss
from polymatch.losses.daa import daa_of_directions
from polymatch.losses.smooth_ap import smooth_ap_loss
from polymatch.losses.triplet import triplet_loss
from polymatch.models.model import RetrievalModel
from polymatch.settings.alignment import AlignmentModelSettings

WORDING = ["red heart", "blue heart", "a tree", "green tree", "two red hearts"]
ITEM_ROWS = torch.tensor([0, 0, 1, 1, 2, 3])
TEXTS = torch.tensor([0, 4, 1, 0, 2, 3])  # one text names two items


class MeanModel(RetrievalModel):
    """Cosine of the mean region and the mean word: the least that answers to the three calls."""

    def __init__(self, settings, item_width, caption_width):
        super().__init__(settings, item_width, caption_width)
        self.regions, self.words = nn.Linear(item_width[1], 4), nn.Embedding(caption_width, 4)

    def encode_items(self, features):
        return nn.functional.normalize(self.regions(features).mean(1), dim=-1)

    def encode_captions(self, features):
        there = (features > 0)[..., None]
        return nn.functional.normalize((self.words(features) * there).sum(1), dim=-1)

    def similarity(self, items, captions, kind=None):
        return items @ captions.T


def setting(**loss):
    torch.manual_seed(0)
    settings = AlignmentModelSettings(family="alignment", module="saf", loss=loss)
    model = MeanModel(settings, (3, 5), 9)
    matches = Matches(ITEM_ROWS, TEXTS)
    rows = torch.tensor([5, 0, 3, 4])
    words = torch.randint(1, 9, (4, 6)).masked_fill(torch.arange(6) > torch.arange(4)[:, None], 0)
    items, texts = ITEM_ROWS[rows], TEXTS[rows]
    positives = matches.between(items, texts)
    semantics = Semantics(WORDING, ITEM_ROWS, TEXTS)
    regions = torch.randn(4, 3, 5)[items]
    return model, Batch(regions, words, positives, items, texts, matches, semantics)


def similarity_of(model, batch):
    return model.similarity(model.encode_items(batch.items), model.encode_captions(batch.captions))


def test_every_part_is_there():
    model, batch = setting(
        margin=0.3, daa_weight=10, daa_temperature=0.01, smooth_ap_weight=2, published=True
    )
    parts = TrainingLoss(model)(model, batch)
    similarity = similarity_of(model, batch)
    semantic = torch.from_numpy(batch.semantics.matrix().toarray())[batch.item_rows][:, batch.texts]
    v2t, t2v = daa_of_directions(similarity, semantic, 10.0, 0.01, published=True)
    expected = {
        "hinge": triplet_loss(similarity, batch.positives, 0.3),
        "daa_v2t": v2t,
        "daa_t2v": t2v,
        "smooth_ap": 2 * smooth_ap_loss(similarity, batch.positives),
    }
    assert list(parts) == ["loss", *expected]
    for name, part in expected.items():
        torch.testing.assert_close(parts[name], part)
    torch.testing.assert_close(parts["loss"], sum(expected.values()))
    parts["loss"].backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("hardest", [True, False])
def test_what_has_no_weight_is_not_computed(hardest):
    model, batch = setting(daa_weight=0, hardest=hardest)
    # No text has a word to compare, so looking them up would fail.
    batch = batch._replace(semantics=Semantics(["a"], [0], [0]))
    parts = TrainingLoss(model)(model, batch)
    assert list(parts) == ["loss", "hinge"]
    expected = triplet_loss(similarity_of(model, batch), batch.positives, 0.2, hardest)
    torch.testing.assert_close(parts["loss"], expected)


def test_a_perfect_ranking_has_no_daa_loss():
    model, batch = setting()
    semantic = batch.semantics.between(batch.item_rows, batch.texts)
    model.similarity = lambda items, captions, kind=None: semantic + 0 * (items @ captions.T)
    parts = TrainingLoss(model)(model, batch)
    assert parts["daa_v2t"].item() < 1e-5 and parts["daa_t2v"].item() < 1e-5
