import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.evaluation import retrieval_metrics
from polymatch.models import build_model
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import build_teacher, match_logit, paired_distance_moments
from polymatch.training.loop import train
from polymatch.training.scoring import score

WIDTH = 12


def head(**changes):
    base = {
        "family": "probabilistic",
        "loss": "poly",
        "similarities": ["poly"],
        "teacher": "t",
        "degree": 3,
        "hidden": 16,
        "refresh": {"every": 2, "n_pairs": 2000},
        "training": {"epochs": 4, "lr": 5e-3, "batch_size": 16},
    }
    torch.manual_seed(0)
    model = build_model(ProbabilisticSettings.model_validate(base | changes), WIDTH, WIDTH)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, WIDTH))
    teacher = build_teacher(
        points, points, source="domain", pairs=2000, estimator="gauss_hermite", progress=False
    )
    model.surrogate = teacher.fit(3)
    return model


@pytest.fixture
def data():
    torch.manual_seed(1)
    items = torch.randn(40, WIDTH)
    return items, items + 0.1 * torch.randn(40, WIDTH), torch.arange(40)


def test_only_every_so_many_epochs_and_first_before_the_first(data):
    model = head()
    seen = [model.surrogate]
    for epoch in range(1, 5):
        model.before_epoch(epoch, lambda: data)
        seen.append(model.surrogate)
    assert [a is not b for a, b in pairwise(seen)] == [True, False, True, False]
    assert seen[-1].teacher["source"] == "the head itself, before epoch 3"
    assert seen[-1].teacher["scale"] == seen[0].teacher["scale"]


def test_a_refit_knows_the_head_s_own_pairs_better_than_the_teacher_did(data):
    model = head(refresh={"every": 1, "n_pairs": 4000, "estimator": "exact", "margin": 0.2})
    before = model.surrogate
    model.before_epoch(1, lambda: data)
    model.eval()
    with torch.no_grad():
        items, captions = model.items(data[0]), model.captions(data[1])
    rows, columns = torch.arange(40), torch.arange(40).roll(1)
    pair = (items.mu[rows], items.logvar[rows], captions.mu[columns], captions.logvar[columns])
    exact = match_logit(*pair, 0.1, 0.0)
    moments = paired_distance_moments(*pair)
    errors = [float((s.logits(*moments) - exact).abs().mean()) for s in (model.surrogate, before)]
    assert errors[0] < 0.01 and errors[0] < 0.5 * errors[1]
    assert model.surrogate.region.outside_share(*moments) < 0.05


def test_the_margin_covers_what_training_changes_next(data):
    for margin, covered in ((0.0, False), (1.0, True)):
        model = head(refresh={"every": 1, "n_pairs": 4000, "margin": margin})
        model.before_epoch(1, lambda: data)
        model.eval()
        with torch.no_grad():
            items, captions = model.items(data[0]), model.captions(data[1])
            moved = paired_distance_moments(
                items.mu, items.logvar - 0.5, captions.mu, captions.logvar - 0.5
            )
        assert (model.surrogate.region.outside_share(*moved) < 0.05) == covered


def test_a_refit_is_reproducible_and_leaves_weights_alone(data):
    one, two = head(), head()
    weights = copy.deepcopy(one.state_dict())
    for model in (one, two):
        torch.manual_seed(5)
        model.before_epoch(1, lambda: data)
    np.testing.assert_array_equal(one.surrogate.coefficients, two.surrogate.coefficients)
    for name, value in one.state_dict().items():
        assert torch.equal(value, weights[name])


def test_the_kept_epoch_comes_back_with_its_own_surrogate(data):
    items, captions, pairs = (tensor.numpy() for tensor in data)
    ids = [str(i) for i in range(40)]
    val = RetrievalSet(ids, items, ids, captions, [(i,) for i in ids])
    model = head()
    history = train(model, TrainingSet(items, captions, pairs, pairs), val, seed=0)
    kept = history[history["kept"]].iloc[0]
    metrics = retrieval_metrics(score(model, val), val.item_ids, val.positives)
    assert metrics["rsum"] == pytest.approx(kept["val_rsum"])
    refit = 1 + 2 * ((int(kept["epoch"]) - 1) // 2)
    assert model.surrogate.teacher["source"] == f"the head itself, before epoch {refit}"
