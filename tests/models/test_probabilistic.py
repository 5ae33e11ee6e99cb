import pytest
import torch
import torch.nn.functional as F

from polymatch.errors import ConfigError, NumericsError
from polymatch.models import build_model
from polymatch.models.probabilistic import Gaussians, _noise, draw, sample
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
    with pytest.raises(
        ConfigError, match="similarity 'cosine' is not one of this model's: mean, mc"
    ):
        model.similarity(*encoded, "cosine")


def test_unequal_widths_are_refused():
    with pytest.raises(ConfigError, match="items have width 6 and captions 5"):
        build_model(settings(), 6, 5)


@pytest.fixture
def soft():
    torch.manual_seed(0)
    given = settings(
        loss="soft", similarities=["match", "csd"], teacher=None, K_test=3, init_scale=2.0
    )
    return build_model(given, WIDTH, WIDTH).eval()


def test_match_is_the_log_of_the_mean_match_probability_of_samples(soft):
    items, captions = (
        soft.encode_items(torch.randn(4, WIDTH)),
        soft.encode_captions(torch.randn(5, WIDTH)),
    )
    x, y = (
        draw(side, noise)
        for side, noise in zip((items, captions), _noise(3, items.mu), strict=True)
    )
    for i in range(4):
        for j in range(5):
            logits = [soft.shift - soft.scale * (p - q).norm() for p in x[:, i] for q in y[:, j]]
            expected = torch.sigmoid(torch.stack(logits)).mean().log()
            fast = soft.similarity(items, captions, "match")[i, j]
            torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-5)


def test_csd_is_minus_the_mean_squared_distance_of_samples(soft):
    items, captions = (
        soft.encode_items(torch.randn(3, WIDTH)),
        soft.encode_captions(torch.randn(4, WIDTH)),
    )
    noise = torch.randn(2, 200_000, 1, WIDTH)
    for i in range(3):
        for j in range(4):
            x = draw(Gaussians(items.mu[i : i + 1], items.logvar[i : i + 1]), noise[0])
            y = draw(Gaussians(captions.mu[j : j + 1], captions.logvar[j : j + 1]), noise[1])
            square = (x - y).square().sum(-1).mean()
            score = soft.similarity(items, captions, "csd")[i, j]
            assert -score.item() == pytest.approx(square.item(), rel=0.02)


@pytest.mark.parametrize("kind", ["match", "csd"])
def test_a_rival_s_score_does_not_depend_on_the_batch(soft, kind):
    items, captions = (
        soft.encode_items(torch.randn(4, WIDTH)),
        soft.encode_captions(torch.randn(5, WIDTH)),
    )
    whole = soft.similarity(items, captions, kind)
    part = soft.similarity(
        Gaussians(items.mu[2:3], items.logvar[2:3]),
        Gaussians(captions.mu[1:4], captions.logvar[1:4]),
        kind,
    )
    torch.testing.assert_close(part, whole[2:3, 1:4], rtol=1e-5, atol=1e-5)


def test_init_logvar_moves_where_an_untrained_head_starts():
    for start in (0.0, -4.0):
        torch.manual_seed(0)
        model = build_model(settings(init_logvar=start), WIDTH, WIDTH).eval()
        logvar = model.encode_items(torch.randn(200, WIDTH)).logvar
        assert logvar.mean().item() == pytest.approx(start, abs=0.3)


def test_diagnostics_say_where_the_variances_are(model):
    wide = Gaussians(torch.eye(WIDTH), torch.full((WIDTH, WIDTH), 2.0))
    narrow = Gaussians(torch.eye(WIDTH), torch.full((WIDTH, WIDTH), -5.0))
    figures = model.diagnostics(wide, narrow)
    assert figures["logvar"] == -1.5
    assert figures["logvar_low"] == figures["logvar_high"] == 0.5
    assert figures["outside_share"] == 1.0  # exp(2) is beyond anything the surrogate has seen
    assert "outside_share" not in build_model(
        settings(loss="mean", similarities=["mean"]), WIDTH, WIDTH
    ).diagnostics(wide, narrow)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"similarities": ["match"]}, "similarity 'match' needs loss 'soft'"),
        ({"init_logvar": -9.0}, "init_logvar -9.0 must lie between"),
        (
            {"loss": "mean", "similarities": ["mean"], "refresh": {"every": 5}},
            "`refresh` needs loss 'poly'",
        ),
        ({"published": True, "refresh": {}}, "`refresh` and `published` exclude each other"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_a_surrogate_of_another_width_is_refused_when_it_is_attached(model):
    surrogate = PolynomialSurrogate.from_dict(
        {**model.surrogate.to_dict(), "teacher": {"width": WIDTH + 2}}
    )
    other = build_model(settings(), WIDTH, WIDTH)
    with pytest.raises(NumericsError, match=f"width {WIDTH + 2} but used on width {WIDTH}"):
        other.attach({"surrogate": surrogate.to_dict()})
    assert other.surrogate is None
