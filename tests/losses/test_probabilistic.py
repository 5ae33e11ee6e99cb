import pytest
import torch

from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.losses.probabilistic import (
    sampled_cosine_loss,
    training_loss,
    variance_regulariser,
)
from polymatch.models import build_model
from polymatch.models.probabilistic import Gaussians
from polymatch.settings.probabilistic import ProbabilisticSettings, VarianceSettings
from polymatch.surrogate import PolynomialSurrogate, distance_moments


def gaussians(n, width=6, logvar=None):
    mu = torch.nn.functional.normalize(torch.randn(n, width), dim=-1)
    return Gaussians(mu, torch.randn(n, width) if logvar is None else mu * 0 + logvar)


def test_sampled_loss_is_the_mean_of_the_loss_of_each_draw():
    items, captions, positives = gaussians(4), gaussians(4), torch.eye(4) > 0
    torch.manual_seed(0)
    fast = sampled_cosine_loss(items, captions, positives, tau=0.1, samples=3)
    torch.manual_seed(0)
    item_noise, caption_noise = torch.randn(3, 4, 6), torch.randn(3, 4, 6)
    slow = 0.0
    for k in range(3):
        x = items.mu + item_noise[k] * items.logvar.exp().sqrt()
        y = captions.mu + caption_noise[k] * captions.logvar.exp().sqrt()
        cosine = torch.nn.functional.cosine_similarity(x[:, None], y[None], dim=-1)
        slow += symmetric_cross_entropy(cosine / 0.1, positives) / 3
    torch.testing.assert_close(fast, slow)


def test_sampled_loss_of_points_is_the_loss_of_their_cosines():
    items, captions, positives = (
        gaussians(4, logvar=-60.0),
        gaussians(4, logvar=-60.0),
        torch.eye(4) > 0,
    )
    expected = symmetric_cross_entropy(items.mu @ captions.mu.T / 0.1, positives)
    loss = sampled_cosine_loss(items, captions, positives, tau=0.1, samples=2)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("kl", lambda mu, lv: (-0.5 * (1 + lv - mu**2 - lv.exp())).mean()),
        ("upper", lambda mu, lv: (lv.exp() - 0.5).clamp(min=0).mean()),
        ("lower", lambda mu, lv: (0.2 - lv.exp()).clamp(min=0).mean()),
        ("target", lambda mu, lv: ((lv.exp().sqrt() - 0.7) ** 2).mean()),
        ("penalty", lambda mu, lv: lv.exp().mean()),
        ("none", lambda mu, lv: torch.tensor(0.0)),
    ],
)
def test_each_regulariser_is_its_formula(kind, expected):
    one = gaussians(7)
    settings = VarianceSettings(kind=kind, max_var=0.5, min_var=0.2, target_sigma=0.7)
    torch.testing.assert_close(variance_regulariser(one, settings), expected(*one))


def test_kl_is_zero_only_at_the_prior():
    zero = Gaussians(torch.zeros(2, 3), torch.zeros(2, 3))
    assert variance_regulariser(zero, VarianceSettings(kind="kl")) == 0


def test_poly_loss_is_the_cross_entropy_of_the_surrogate_and_reaches_both_sides():
    ed, vd = torch.rand(2, 200, dtype=torch.float64)
    surrogate = PolynomialSurrogate.fit(ed, vd, torch.sigmoid(1 - 2 * ed + vd), degree=3)
    settings = ProbabilisticSettings(
        family="probabilistic", loss="poly", similarities=["poly"], teacher="t", hidden=8, tau=0.5
    )
    model = build_model(settings, 6, 6)
    model.surrogate = surrogate
    positives = torch.eye(5) > 0
    items, captions = (
        model.encode_items(torch.randn(5, 6)),
        model.encode_captions(torch.randn(5, 6)),
    )
    parts = training_loss(model, items, captions, positives)
    logits = surrogate.logits(*distance_moments(*items, *captions))
    expected = symmetric_cross_entropy(logits / 0.5, positives)
    torch.testing.assert_close(parts["contrastive"], expected)
    torch.testing.assert_close(
        parts["loss"], parts["contrastive"] + settings.variance.weight * parts["variance"]
    )
    parts["contrastive"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
