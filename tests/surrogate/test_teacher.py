"""Teachers: what they draw, that they are determined by their seed, files, refusals."""

import numpy as np
import pytest
import torch

from polymatch.errors import DataError, NumericsError
from polymatch.surrogate import (
    Teacher,
    build_teacher,
    distance_moments,
    match_probability,
    paired_distance_moments,
)

ESTIMATORS = ["monte_carlo", "gauss_hermite", "gamma", "exact"]


def embeddings(n=30, m=40, dim=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) + 0.3, rng.normal(size=(m, dim)) + 0.3


def build(items, captions, **settings):
    return build_teacher(items, captions, **{"pairs": 400, "progress": False, **settings})


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("source", ["fixed", "pcme", "domain"])
def test_the_seed_determines_everything(source, estimator):
    items, captions = embeddings()
    settings = {"source": source, "estimator": estimator, "pairs": 203, "samples": 4}
    if source == "pcme":
        settings["log_variance"] = (items - 4, captions - 4)
    first = build(items, captions, seed=5, **settings)
    again = build(items, captions, seed=5, **settings)
    other = build(items, captions, seed=6, **settings)
    assert len(first) == 203
    for name in ("ed", "vd", "logit", "probability", "weight"):
        values = getattr(first, name)
        assert values.shape == (203,) and values.dtype == np.float64 and np.isfinite(values).all()
        np.testing.assert_array_equal(values, getattr(again, name))
    assert (first.ed != other.ed).mean() > 0.9
    np.testing.assert_allclose(first.probability, 1 / (1 + np.exp(-first.logit)), rtol=1e-9)
    assert first.metadata["width"] == 24 and first.metadata["source"] == source


@pytest.mark.parametrize("pairs", [50, 5000])
def test_fixed_is_the_published_command(pairs):
    """Few and many pairs take different ways to the same distances."""
    items, captions = embeddings()
    teacher = build(items, captions, estimator="exact", pairs=pairs)
    flat = [np.full_like(x, -5.0) for x in (items, captions)]
    ed, vd = distance_moments(unit(items), flat[0], unit(captions), flat[1])
    index = np.array([np.abs(ed - value).argmin() for value in teacher.ed])
    np.testing.assert_allclose(teacher.ed, ed.ravel()[index], rtol=1e-12)
    np.testing.assert_allclose(teacher.vd, vd.ravel()[index], rtol=1e-12)
    rows, columns = np.unravel_index(index, ed.shape)
    expected = match_probability(
        unit(items)[rows], flat[0][rows], unit(captions)[columns], flat[1][columns], 0.1, 0.0
    )
    np.testing.assert_allclose(teacher.probability, expected, rtol=1e-10)
    assert (teacher.weight == 1).all()
    assert len(np.unique(rows)) > 20 and len(np.unique(columns)) > 25


@pytest.mark.parametrize("estimator", ["monte_carlo", "gauss_hermite", "gamma"])
@pytest.mark.parametrize("source", ["fixed", "pcme", "domain"])
def test_estimators_agree_on_the_same_pairs(source, estimator):
    items, captions = embeddings(dim=60)
    settings = {"source": source, "seed": 3, "bounds": (-5.0, -2.0)}
    if source == "pcme":
        settings["log_variance"] = (0.3 * items - 4, 0.3 * captions - 4)
    exact = build(items, captions, estimator="exact", **settings)
    other = build(items, captions, estimator=estimator, samples=40, **settings)
    np.testing.assert_array_equal(exact.ed, other.ed)
    np.testing.assert_array_equal(exact.vd, other.vd)
    error = np.abs(other.probability - exact.probability)
    assert error.max() < (0.03 if estimator == "monte_carlo" else 0.002)
    assert abs((other.probability - exact.probability).mean()) < 1e-3


@pytest.mark.parametrize("pairs", [50, 3000])
def test_pcme_takes_the_gaussians_as_they_are(pairs):
    items, captions = embeddings()
    log_variance = (0.2 * items - 3, 0.2 * captions - 3)
    teacher = build(
        items, captions, source="pcme", estimator="exact", log_variance=log_variance, pairs=pairs
    )
    ed, vd = distance_moments(items, log_variance[0], captions, log_variance[1])
    index = np.array([np.abs(ed - value).argmin() for value in teacher.ed])
    np.testing.assert_allclose(teacher.ed, ed.ravel()[index], rtol=1e-10)
    np.testing.assert_allclose(teacher.vd, vd.ravel()[index], rtol=1e-10)
    rows, columns = np.unravel_index(index[:20], ed.shape)
    sides = items[rows], log_variance[0][rows], captions[columns], log_variance[1][columns]
    np.testing.assert_allclose(
        teacher.logit[:20].clip(-30),
        np.log(
            match_probability(*sides, 0.1, 0.0) / (1 - match_probability(*sides, 0.1, 0.0))
        ).clip(-30),
        rtol=1e-9,
    )


def test_matched_pairs_are_drawn_in_their_share():
    rng = np.random.default_rng(0)
    items = rng.normal(size=(50, 16))
    captions = items + 1e-3 * rng.normal(size=(50, 16))
    teacher = build(items, captions, matched=np.arange(50), matched_share=0.4, pairs=2000)
    square = 16 * (teacher.ed - 2 * np.exp(-5))
    assert 0.35 < (square < 1e-3).mean() < 0.48


@pytest.mark.parametrize("dim", [1, 5, 24, 250])
def test_domain_covers_what_a_head_can_reach(dim):
    items, captions = embeddings(dim=dim)
    teacher = build(items, captions, source="domain", estimator="gauss_hermite", pairs=20000)
    assert teacher.ed.min() < 2 * np.exp(-5) + 0.1 / dim + 0.05
    assert teacher.ed.max() > 5
    assert np.isclose(teacher.weight.mean(), 1)
    region = teacher.fit(2).region
    # Heads: log-variances from the lower bound up, squared distances 0.2 to 2.2.
    variance = 2 * np.exp(np.linspace(-4.5, -1, 20))[:, None]
    square = np.linspace(0.2, 2.2, 20)[None]
    ed = square / dim + variance
    vd = (2 * dim * variance**2 + 4 * variance * square) / dim**2
    assert region.outside_share(ed, vd) < 0.05
    low = build(items, captions, source="domain", estimator="gauss_hermite", bounds=(-5, -4))
    assert (low.ed < 2 * np.exp(-4) + 4 / dim).all() and (low.ed > 2 * np.exp(-5) * 0.999).all()


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_surrogate_of_the_domain_ranks_a_trained_head(scale):
    dim = 128
    rng = np.random.default_rng(0)
    teacher = build(
        *embeddings(dim=dim), source="domain", estimator="exact", scale=scale, pairs=3000
    )
    surrogate = teacher.fit(4)
    for level in (-4.8, -4.0, -3.0):
        query = unit(rng.normal(size=(1, dim))).repeat(60, 0)
        clips = unit(query + rng.uniform(0.3, 3, (60, 1)) * unit(rng.normal(size=(60, dim))))
        logvar = [np.clip(level + 0.3 * rng.normal(size=(60, dim)), -5, 2) for _ in range(2)]
        logvar[0] = logvar[0][:1].repeat(60, 0)
        exact = match_probability(query, logvar[0], clips, logvar[1], scale, 0.0)
        fitted = surrogate.logits(*paired_distance_moments(query, logvar[0], clips, logvar[1]))
        assert np.abs(1 / (1 + np.exp(-fitted)) - exact).max() < 0.01
        ranks = [np.argsort(np.argsort(x)) for x in (exact, fitted)]
        assert np.corrcoef(*ranks)[0, 1] > 0.97


def test_saved_and_loaded_is_the_same(tmp_path):
    teacher = build(*embeddings(), source="domain", estimator="gamma")
    teacher.save(tmp_path / "teacher.parquet")
    again = Teacher.load(tmp_path / "teacher.parquet")
    for name in ("ed", "vd", "logit", "probability", "weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(teacher, name))
    assert again.metadata == teacher.metadata
    assert again.fit(3).teacher["source"] == "domain"
    np.testing.assert_array_equal(again.fit(3).coefficients, teacher.fit(3).coefficients)


def test_a_file_that_is_no_teacher_is_named(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name in ("broken", "absent"):
        with pytest.raises(DataError, match=f"{name}.parquet: not a saved teacher"):
            Teacher.load(tmp_path / f"{name}.parquet")


def test_progress_goes_to_stderr(capsys):
    build(*embeddings(), progress=True)
    captured = capsys.readouterr()
    assert captured.out == "" and "teacher (monte_carlo)" in captured.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "other"}, "source 'other' is not one of fixed, pcme, domain"),
        ({"estimator": "other"}, "method 'other' is not one of"),
        ({"pairs": 0}, "pairs is 0"),
        ({"samples": 0}, "samples is 0; K must be 1 or more"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"bounds": (2.0, -5.0)}, "not in order"),
        ({"matched_share": 0.5}, "with `matched` given"),
        ({"matched_share": 0.5, "matched": np.full(40, 30)}, "one of 30 items for each of 40"),
        ({"source": "pcme"}, "needs log_variance as two arrays"),
        ({"log_variance": float("nan")}, "log_variance is nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(NumericsError, match=message):
        build(*embeddings(), **settings)


def test_bad_embeddings_are_named():
    items, captions = embeddings()
    with pytest.raises(NumericsError, match="mu_a has width 24 and mu_b 20"):
        build(items, captions[:, :20])
    with pytest.raises(NumericsError, match="there are no items"):
        build(items[:0], captions)
    items[3] = 0
    with pytest.raises(NumericsError, match="row 3 of the items is zero"):
        build(items, captions)
    captions[7, 2] = np.nan
    with pytest.raises(NumericsError, match="row 7 of the captions is not finite"):
        build(items, captions)


def test_threads_are_left_as_they_were():
    before = torch.get_num_threads()
    build(*embeddings(), pairs=10)
    with pytest.raises(NumericsError):
        build(*embeddings(), matched=np.zeros(3, int), matched_share=1.0)
    assert torch.get_num_threads() == before
