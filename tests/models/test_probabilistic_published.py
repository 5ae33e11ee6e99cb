"""Checkpoints in the published layout give the numbers that their own formulas give."""

import argparse

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from polymatch.errors import ConfigError, DataError
from polymatch.models import first_model, load_model, save_model
from polymatch.models.probabilistic import load_published
from polymatch.settings.probabilistic import ProbabilisticSettings

WIDTH, HIDDEN = 6, 10


def state(seed):
    """A projector's state dict with log-variances on both sides of their clamp."""
    rng = np.random.default_rng(seed)
    shapes = {"0.weight": (HIDDEN, WIDTH), "0.bias": (HIDDEN,)}
    shapes |= {"3.weight": (WIDTH, HIDDEN), "3.bias": (WIDTH,)}
    return {
        f"{side}_proj.{name}": torch.from_numpy(rng.normal(size=shape) * scale).float()
        for side, scale in (("mu", 1.0), ("logvar", 2.5))
        for name, shape in shapes.items()
    }


def polynomial(degree=2):
    count = (degree + 1) * (degree + 2) // 2 - 1
    coeff = torch.from_numpy(np.random.default_rng(5).normal(size=count)).float()
    return {"degree": degree, "coeff": coeff, "bias": 0.25, "fit_logit": True, "coeff_n": count}


CONFIG = {
    "mode": "train_poly",
    "epochs": 12,
    "batch_size": 32,
    "lr": 5e-6,
    "hidden": HIDDEN,
    "temperature": 0.05,
    "var_reg_type": "upper_bound",
    "var_reg_weight": 0.02,
    "max_var": 0.5,
}


def checkpoint(**changes):
    return {
        "epoch": 3,
        "text": state(0),
        "video": state(1),
        "loss": 1.0,
        "config": CONFIG,
    } | changes


def written(folder, content, name="best_projectors.pth"):
    torch.save(content, folder / name)
    return folder / name


def slow(weights, x):
    """mu and logvar of one side, from the published formulas, in float64."""
    w = {name.removeprefix("module."): tensor.double() for name, tensor in weights.items()}
    x = normalize(x.double(), dim=-1)

    def layers(side):
        hidden = torch.relu(x @ w[f"{side}_proj.0.weight"].T + w[f"{side}_proj.0.bias"])
        return hidden @ w[f"{side}_proj.3.weight"].T + w[f"{side}_proj.3.bias"]

    return normalize(x + layers("mu"), dim=-1), layers("logvar").clamp(-5, 2)


def slow_poly(items, captions, poly):
    """Logits pair by pair and term by term."""
    (mu_v, lv_v), (mu_t, lv_t) = items, captions
    result = torch.empty(len(mu_v), len(mu_t), dtype=torch.float64)
    for i in range(len(mu_v)):
        for j in range(len(mu_t)):
            d, s = mu_t[j] - mu_v[i], lv_t[j].exp() + lv_v[i].exp()
            ed = (d * d + s).sum() / WIDTH
            vd = (2 * s * s + 4 * d * d * s).sum() / WIDTH**2
            terms = [ed, vd, ed * ed, ed * vd, vd * vd]
            result[i, j] = poly["bias"] + sum(
                float(c) * term for c, term in zip(poly["coeff"], terms, strict=True)
            )
    return result


@pytest.fixture
def features():
    torch.manual_seed(2)
    return torch.randn(5, WIDTH) * 3, torch.randn(7, WIDTH)


VARIANTS = {
    "pcme": checkpoint(),
    "poly": checkpoint(poly=polynomial()),
    "other keys": {"text_proj": state(0), "video_proj": state(1), "poly": polynomial()},
    "data parallel": checkpoint(
        text={f"module.{name}": tensor for name, tensor in state(0).items()}, audio=state(9)
    ),
    "half": checkpoint(text={name: tensor.half() for name, tensor in state(0).items()}),
    "namespace": checkpoint(config=argparse.Namespace(**CONFIG)),
}


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS)
def test_encodings_and_similarities_are_the_published_formulas(tmp_path, features, content):
    model = load_published(written(tmp_path, content))
    assert not model.training
    text = content.get("text") or content["text_proj"]
    with torch.inference_mode():
        items, captions = model.encode_items(features[0]), model.encode_captions(features[1])
        expected = slow(state(1), features[0]), slow(text, features[1])
        for got, slowly in zip((items, captions), expected, strict=True):
            torch.testing.assert_close(got.mu.double(), slowly[0], atol=1e-6, rtol=0)
            torch.testing.assert_close(got.logvar.double(), slowly[1], atol=1e-5, rtol=0)
        mean = model.similarity(items, captions, "mean").double()
        torch.testing.assert_close(mean, expected[0][0] @ expected[1][0].T, atol=1e-6, rtol=0)
        if "poly" in content:
            poly = model.similarity(items, captions)
            encoded = [[part.double() for part in side] for side in (items, captions)]
            slowly = slow_poly(*encoded, content["poly"])
            torch.testing.assert_close(poly, slowly, atol=1e-6, rtol=1e-6)


def test_a_polynomial_apart_replaces_the_checkpoints_own(tmp_path, features):
    path = written(tmp_path, checkpoint(poly=polynomial() | {"bias": 100.0}))
    apart = written(tmp_path, polynomial(), "poly_coeffs_deg2.pt")
    model = load_published(path, apart)
    assert model.required_surrogate().bias == 0.25
    assert model.settings.published_poly == str(apart)


def test_settings_are_those_of_the_command_line(tmp_path):
    settings = load_published(written(tmp_path, checkpoint(poly=polynomial()))).settings
    assert (settings.loss, settings.degree, settings.tau) == ("poly", 2, 0.05)
    training, variance = settings.training, settings.variance
    assert (training.epochs, training.lr, training.batch_size) == (12, 5e-6, 32)
    assert (variance.kind, variance.weight, variance.max_var) == ("upper", 0.02, 0.5)
    assert settings.hidden == HIDDEN and not settings.trained
    sampled = CONFIG | {"n_samples": 9, "loss_type": "pcme_mc", "var_reg_type": "kl"}
    pcme = load_published(written(tmp_path, checkpoint(config=sampled))).settings
    assert (pcme.loss, pcme.K_train, pcme.variance.kind) == ("sampled", 9, "kl")
    bare = load_published(written(tmp_path, {"text": state(0), "video": state(1)})).settings
    assert (bare.hidden, bare.tau) == (HIDDEN, 0.07)


def test_it_can_be_saved_and_loaded_like_any_run(tmp_path, features):
    model = load_published(written(tmp_path, checkpoint(poly=polynomial())))
    save_model(model, tmp_path / "run")
    (tmp_path / "best_projectors.pth").unlink()
    again = load_model(tmp_path / "run")
    with torch.inference_mode():
        scores = [
            one.similarity(one.encode_items(features[0]), one.encode_captions(features[1]))
            for one in (model, again)
        ]
    assert torch.equal(*scores)


def without(name):
    return {key: tensor for key, tensor in state(0).items() if key != name}


WRONG = {
    "not torch": (None, r"best_projectors\.pth: not a whole file of torch\.save"),
    "a tensor": (torch.ones(3), r"holds a Tensor, not the dict of a published checkpoint"),
    "another dict": ({"model": 1}, r"no 'video' or 'video_proj' in it.*\(it has: model\)"),
    "no text": ({"video": state(0)}, r"no 'text' or 'text_proj' in it"),
    "no state": (checkpoint(text=3), r"'text': a int, not a state dict"),
    "missing key": (
        checkpoint(text=without("mu_proj.3.bias")),
        r"'text': lacks mu_proj\.3\.bias; a published projector has",
    ),
    "unknown key": (
        checkpoint(video=state(1) | {"norm.weight": torch.ones(1)}),
        r"'video': has also norm\.weight; a published",
    ),
    "other shape": (
        checkpoint(text=state(0) | {"logvar_proj.3.weight": torch.ones(WIDTH, 3)}),
        r"'text': logvar_proj\.3\.weight has shape \(6, 3\), not \(6, 10\)",
    ),
    "not a matrix": (
        checkpoint(text=state(0) | {"mu_proj.0.weight": torch.ones(3)}),
        r"mu_proj\.0\.weight is not a matrix",
    ),
    "other width": (
        checkpoint(
            text={
                name: tensor[:, :4] if name.endswith("0.weight") else tensor[:4]
                for name, tensor in state(0).items()
                if ".0." in name
            }
        ),
        r"'text': lacks",
    ),
    "NaN": (
        checkpoint(text=state(0) | {"mu_proj.3.bias": torch.full((WIDTH,), torch.nan)}),
        r"'text': mu_proj\.3\.bias holds NaN",
    ),
    "polynomial": (
        checkpoint(poly=polynomial() | {"degree": 3}),
        r"best_projectors\.pth, 'poly': 5 coefficients for degree 3, which has 9",
    ),
    "config": (
        checkpoint(config=CONFIG | {"temperature": -1.0}),
        r"its config says tau = -1\.0: Input should be greater than 0",
    ),
    "code": (
        checkpoint(config=argparse.ArgumentParser),
        r"holds argparse\.ArgumentParser, more than tensors",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_such_checkpoint_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "best_projectors.pth"
    if content is None:
        path.write_text("hello")
    else:
        written(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        load_published(path)
    assert "\n" not in str(caught.value)


def test_sides_of_two_widths_are_refused(tmp_path):
    narrow = {
        name: tensor[:, :4] if "0.weight" in name else tensor[:4] if ".3." in name else tensor
        for name, tensor in state(0).items()
    }
    path = written(tmp_path, checkpoint(text=narrow))
    with pytest.raises(DataError, match=r"video has \(10, 6\) and text \(10, 4\)"):
        load_published(path)


def entry(path, **changes):
    raw = {
        "family": "probabilistic",
        "loss": "sampled",
        "similarities": ["mean"],
        "hidden": HIDDEN,
        "published_checkpoint": str(path),
    }
    return ProbabilisticSettings.model_validate(raw | changes)


def test_an_entry_takes_the_weights_and_keeps_its_own_settings(tmp_path):
    path = written(tmp_path, checkpoint())
    poly = written(tmp_path, polynomial(), "poly.pt")
    settings = entry(path, similarities=["mc", "poly"], K_test=3, published_poly=str(poly))
    assert not settings.trained and not settings.needs_surrogate and not settings.certified
    assert settings.published_files == [str(path), str(poly)]
    model = first_model(settings, WIDTH, WIDTH)
    assert model.settings == settings
    assert torch.equal(model.items.mu[0].weight, state(1)["mu_proj.0.weight"])
    assert entry(path, similarities=["poly"], teacher="fixed").certified


@pytest.mark.parametrize(
    ("changes", "width", "message"),
    [
        ({}, 8, r"inputs of width 6 \(items\) and 6 \(captions\), but the data set's have 8 and 8"),
        (
            {"hidden": 2048},
            WIDTH,
            r"has hidden 10, but the model's entry says 2048; set `hidden: 1",
        ),
        ({"max_logvar": 3.0}, WIDTH, r"has max_logvar 2\.0, but the model's entry says 3\.0"),
        ({"similarities": ["poly"]}, WIDTH, r"has no polynomial, .*`published_poly`"),
    ],
)
def test_an_entry_that_contradicts_its_checkpoint_is_refused(tmp_path, changes, width, message):
    with pytest.raises(ConfigError, match=message):
        first_model(entry(written(tmp_path, checkpoint()), **changes), width, width)


def test_a_polynomial_without_a_checkpoint_is_refused():
    with pytest.raises(ValueError, match="`published_poly` goes with a `published_checkpoint`"):
        entry(None, published_checkpoint=None, published_poly="x")
