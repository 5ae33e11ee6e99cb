import pytest
import torch
import torch.nn.functional as F

from polymatch.errors import ConfigError, NumericsError
from polymatch.models import build_model
from polymatch.models.probabilistic import Gaussians, _noise, sample
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import PolynomialSurrogate, distance_moments

WIDTH = 6


def settings(**changes):
    base = {
        "family": "probabilistic",
        "loss": "poly",
        "similarities": ["mean", "mc", "closed", "poly"],
        "teacher": "t",
        "hidden": 16,
    }
    return ProbabilisticSettings.model_validate(base | changes)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = build_model(settings(), WIDTH, WIDTH).eval()
    ed, vd = torch.rand(2, 300, dtype=torch.float64) * 4
    model.surrogate = PolynomialSurrogate.fit(ed, vd, torch.sigmoid(-ed + 0.1 * vd), degree=2)
    return model


@pytest.fixture
def encoded(model):
    with torch.inference_mode():
        return model.encode_items(torch.randn(5, WIDTH)), model.encode_captions(
            torch.randn(7, WIDTH)
        )


def slow_similarity(model, items, captions, kind):
    """One pair at a time, from the definitions."""
    item_noise, caption_noise = _noise(model.settings.K_test, items.mu)
    result = torch.empty(len(items.mu), len(captions.mu), dtype=torch.float64)
    for i in range(len(items.mu)):
        for j in range(len(captions.mu)):
            a, b = (
                Gaussians(items.mu[i], items.logvar[i]),
                Gaussians(captions.mu[j], captions.logvar[j]),
            )
            if kind == "mean":
                value = F.cosine_similarity(a.mu, b.mu, dim=0)
            elif kind == "closed":
                scale = (a.mu.square().sum() + a.logvar.exp().sum()).sqrt()
                scale = scale * (b.mu.square().sum() + b.logvar.exp().sum()).sqrt()
                value = a.mu @ b.mu / scale
            elif kind == "mc":
                x, y = sample(a, item_noise[:, 0]), sample(b, caption_noise[:, 0])
                value = torch.stack([F.cosine_similarity(p, q, dim=0) for p in x for q in y]).mean()
            else:
                ed, vd = distance_moments(a.mu[None], a.logvar[None], b.mu[None], b.logvar[None])
                value = model.surrogate.logits(ed, vd)[0, 0]
            result[i, j] = value
    return result


@pytest.mark.parametrize("kind", ["mean", "mc", "closed", "poly"])
def test_each_similarity_is_its_definition(model, encoded, kind):
    fast = model.similarity(*encoded, kind).double()
    torch.testing.assert_close(fast, slow_similarity(model, *encoded, kind), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mean", "mc", "closed", "poly"])
def test_a_prepared_gallery_gives_the_same_scores(model, encoded, kind):
    items, captions = encoded
    prepared = model.similarity(model.prepare_items(items, kind), captions, kind)
    torch.testing.assert_close(prepared, model.similarity(*encoded, kind), atol=0, rtol=0)


@pytest.mark.parametrize("kind", ["mean", "mc", "closed", "poly"])
def test_a_score_does_not_depend_on_what_else_is_in_the_batch(model, encoded, kind):
    items, captions = encoded
    whole = model.similarity(items, captions, kind)
    part = model.similarity(Gaussians(*(x[3:] for x in items)), captions, kind)
    torch.testing.assert_close(whole[3:], part, atol=1e-6, rtol=1e-6)
    order = torch.randperm(7)
    permuted = model.similarity(items, Gaussians(*(x[order] for x in captions)), kind)
    torch.testing.assert_close(whole[:, order], permuted, atol=1e-6, rtol=1e-6)


def test_projectors_give_unit_means_and_clamped_log_variances(model):
    model.items.logvar[-1].bias.data.fill_(100.0)
    mu, logvar = model.encode_items(torch.randn(4, WIDTH) * 50)
    torch.testing.assert_close(mu.norm(dim=-1), torch.ones(4))
    assert (logvar == 2.0).all()
    model.items.logvar[-1].bias.data.fill_(-100.0)
    assert (model.encode_items(torch.randn(4, WIDTH)).logvar == -5.0).all()


def test_mc_converges_to_the_expected_cosine(model, encoded):
    """With many samples the estimate meets an independent one within its own error."""
    items, captions = encoded
    many = build_model(settings(K_test=4000), WIDTH, WIDTH).eval()
    estimate = many.similarity(items, captions, "mc")
    torch.manual_seed(1)
    x = sample(items, torch.randn(4000, 5, WIDTH))
    y = sample(captions, torch.randn(4000, 7, WIDTH))
    independent = x.mean(0) @ y.mean(0).T
    torch.testing.assert_close(estimate, independent, atol=0.05, rtol=0)


def test_poly_without_a_surrogate_is_refused(encoded):
    with pytest.raises(ConfigError, match="'poly' needs a surrogate"):
        build_model(settings(), WIDTH, WIDTH).similarity(*encoded, "poly")


def test_an_unknown_similarity_is_refused(model, encoded):
    with pytest.raises(ConfigError, match="unknown similarity 'cosine'; allowed: mean, mc"):
        model.similarity(*encoded, "cosine")


def test_unequal_widths_are_refused():
    with pytest.raises(ConfigError, match="items have width 6 and captions 5"):
        build_model(settings(), 6, 5)


def test_a_surrogate_of_another_width_is_refused_when_it_is_attached(model):
    surrogate = PolynomialSurrogate.from_dict(
        {**model.surrogate.to_dict(), "teacher": {"width": WIDTH + 2}}
    )
    other = build_model(settings(), WIDTH, WIDTH)
    with pytest.raises(NumericsError, match=f"width {WIDTH + 2} but used on width {WIDTH}"):
        other.attach({"surrogate": surrogate.to_dict()})
    assert other.surrogate is None
