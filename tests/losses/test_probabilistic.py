import pytest
import torch

from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.losses.probabilistic import (
    closed_form_loss,
    sampled_cosine_loss,
    soft_contrastive_loss,
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


def test_soft_contrastive_loss_is_its_definition_pair_by_pair():
    items, captions = gaussians(3), gaussians(4)
    positives = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) > 0
    scale, shift = torch.tensor(1.5), torch.tensor(2.0)
    torch.manual_seed(0)
    fast = soft_contrastive_loss(items, captions, positives, scale, shift, samples=2)
    torch.manual_seed(0)
    item_noise, caption_noise = torch.randn(2, 3, 6), torch.randn(2, 4, 6)
    x = items.mu + item_noise * items.logvar.exp().sqrt()
    y = captions.mu + caption_noise * captions.logvar.exp().sqrt()
    slow = 0.0
    for i in range(3):
        for j in range(4):
            draws = [
                torch.sigmoid(shift - scale * (p - q).norm()) for p in x[:, i] for q in y[:, j]
            ]
            p = torch.stack(draws).mean()
            slow -= torch.log(p if positives[i, j] else 1 - p) / 3
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)


def test_soft_contrastive_gradient_is_finite_where_samples_meet():
    mu = torch.ones(2, 6, requires_grad=True)
    points = Gaussians(mu, torch.full((2, 6), -60.0))
    scale, shift = torch.tensor(5.0), torch.tensor(5.0)
    soft_contrastive_loss(points, points, torch.eye(2) > 0, scale, shift, samples=2).backward()
    assert mu.grad.isfinite().all()


def test_closed_form_loss_is_its_definition_with_pseudo_positives():
    items, captions = gaussians(4), gaussians(5)
    positives = torch.zeros(4, 5) > 0
    for i, j in [(0, 0), (1, 1), (2, 2), (3, 3), (0, 4)]:
        positives[i, j] = True
    scale, shift, weight = torch.tensor(0.5), torch.tensor(1.0), 0.3
    fast = closed_form_loss(items, captions, positives, scale, shift, weight)
    logits = torch.empty(4, 5)
    for i in range(4):
        for j in range(5):
            distance = (items.mu[i] - captions.mu[j]).square().sum()
            distance += items.logvar[i].exp().sum() + captions.logvar[j].exp().sum()
            logits[i, j] = shift - scale * distance

    def entropy(labels):
        p = torch.sigmoid(logits.double())
        return -torch.where(labels, p.log(), (1 - p).log()).mean().float()

    of_item, of_caption = positives.clone(), positives.clone()
    for i in range(4):
        for j in range(5):
            own = [logits[i, k] for k in range(5) if positives[i, k]]
            of_item[i, j] |= any(logits[i, j] >= value for value in own)
            own = [logits[k, j] for k in range(4) if positives[k, j]]
            of_caption[i, j] |= any(logits[i, j] >= value for value in own)
    assert of_item.sum() > positives.sum()  # the case has pseudo-positives
    expected = 2 * entropy(positives) + weight * (entropy(of_item) + entropy(of_caption))
    torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        closed_form_loss(items, captions, positives, scale, shift, 0.0), 2 * entropy(positives)
    )


@pytest.mark.parametrize("loss", ["sampled", "soft", "pcmepp", "mean"])
def test_permuting_the_captions_changes_no_loss(loss):
    similarities = {"soft": ["match"], "pcmepp": ["csd"]}.get(loss, ["mean"])
    settings = ProbabilisticSettings(
        family="probabilistic", loss=loss, similarities=similarities, hidden=8
    )
    torch.manual_seed(0)
    model = build_model(settings, 6, 6)
    # Without variance the samples, whose noise is drawn row by row, are the means.
    items, captions = gaussians(6, logvar=-60.0), gaussians(6, logvar=-60.0)
    order = torch.randperm(6)
    positives = torch.eye(6) > 0
    moved = Gaussians(captions.mu[order], captions.logvar[order])
    torch.testing.assert_close(
        training_loss(model, items, captions, positives)["contrastive"],
        training_loss(model, items, moved, positives[:, order])["contrastive"],
    )


@pytest.mark.parametrize("loss", ["soft", "pcmepp"])
def test_scale_and_shift_are_learnt(loss):
    settings = ProbabilisticSettings(
        family="probabilistic", loss=loss, similarities=["mean"], hidden=8, init_scale=2.0
    )
    model = build_model(settings, 6, 6)
    assert model.scale.item() == 2.0
    items, captions = (
        model.encode_items(torch.randn(5, 6)),
        model.encode_captions(torch.randn(5, 6)),
    )
    training_loss(model, items, captions, torch.eye(5) > 0)["loss"].backward()
    assert model.scale.grad.abs() > 0 and model.shift.grad.abs() > 0


def test_mean_weight_adds_the_loss_of_the_means():
    ed, vd = torch.rand(2, 200, dtype=torch.float64)
    surrogate = PolynomialSurrogate.fit(ed, vd, torch.sigmoid(1 - 2 * ed + vd), degree=2)
    losses = {}
    for weight in (0.0, 0.5):
        settings = ProbabilisticSettings(
            family="probabilistic",
            loss="poly",
            similarities=["poly"],
            teacher="t",
            hidden=8,
            tau=0.5,
            mean_weight=weight,
        )
        torch.manual_seed(0)
        model = build_model(settings, 6, 6).eval()
        model.surrogate = surrogate
        items, captions = model.encode_items(torch.eye(6)), model.encode_captions(torch.eye(6))
        losses[weight] = training_loss(model, items, captions, torch.eye(6) > 0)["contrastive"]
    cosines = symmetric_cross_entropy(items.mu @ captions.mu.T / 0.5, torch.eye(6) > 0)
    torch.testing.assert_close(losses[0.5], losses[0.0] + 0.5 * cosines)
