"""The ranking certificate against counting by hand, and where its answer is known."""

import numpy as np
import pytest
import torch

from polymatch.errors import NumericsError
from polymatch.surrogate import (
    PolynomialSurrogate,
    build_teacher,
    distance_moments,
    match_logit,
    ranking_certificate,
)

DIRECTIONS = ("t2v", "v2t")


def gaussians(n, m, dim, seed=0):
    """Unit means and log-variances around -3; caption j is near item j modulo n."""
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(n, dim))
    captions = items[np.arange(m) % n] + 0.9 * rng.normal(size=(m, dim))
    means = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (items, captions))
    logvars = (0.7 * rng.normal(size=(rows, dim)) - 3 for rows in (n, m))
    mu_a, mu_b = means
    la, lb = logvars
    return mu_a, la, mu_b, lb


def matches(n, m):
    return np.stack([np.arange(m) % n, np.arange(m)], axis=1)


def exact_matrix(sides, scale=0.5, shift=0.0):
    a, la, b, lb = sides
    rows, columns = (index.ravel() for index in np.indices((len(a), len(b))))
    pairs = (a[rows], la[rows], b[columns], lb[columns])
    return match_logit(*pairs, scale, shift).reshape(len(a), len(b))


def linear(sides, of_moments, target):
    """A surrogate of degree 1 fitted to any ``target`` of the moments."""
    ed, vd = of_moments
    return PolynomialSurrogate.fit(ed, vd, np.full(ed.size, 0.5), 1, alpha=0.0, logit=target)


def naive_tau(x, y):
    """Kendall's tau-b by its definition, every pair of candidates."""
    concordant = tied_x = tied_y = 0
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    for i, j in pairs:
        one, other = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
        concordant += one * other
        tied_x += one == 0
        tied_y += other == 0
    return concordant / np.sqrt((len(pairs) - tied_x) * (len(pairs) - tied_y))


def naive_hit(scores, right, k):
    """Whether a right answer is among the first k of an untied row."""
    return bool(set(np.argsort(-scores)[:k]) & set(right))


def test_equals_counting_by_hand_over_all_queries():
    sides = gaussians(12, 30, 6)
    positives = matches(12, 30)
    teacher = build_teacher(
        *sides[:3:2], source="domain", estimator="exact", pairs=300, progress=False
    )
    surrogate = teacher.fit(2)  # of another scale than is asked for: it errs
    figures = ranking_certificate(*sides, surrogate, 0.5, 0.0, positives, queries=99)
    exact = exact_matrix(sides)
    fitted = surrogate.logits(*distance_moments(*sides))
    for direction in DIRECTIONS:
        ours, truth = (fitted.T, exact.T) if direction == "t2v" else (fitted, exact)
        own, other = (1, 0) if direction == "t2v" else (0, 1)
        right = [positives[positives[:, own] == q, other].tolist() for q in range(len(ours))]
        assert figures[f"{direction}_queries"] == len(ours)
        taus = [naive_tau(x, y) for x, y in zip(ours, truth, strict=True)]
        assert figures[f"{direction}_kendall_tau"] == pytest.approx(np.mean(taus), abs=1e-12)
        for k in (1, 5, 10):
            hits = [
                [naive_hit(row, wanted, k) for row, wanted in zip(rows, right, strict=True)]
                for rows in (ours, truth)
            ]
            change = np.subtract(*np.array(hits, float))
            assert figures[f"{direction}_r{k}_changed"] == pytest.approx(np.abs(change).mean())
            assert figures[f"{direction}_r{k}_difference"] == pytest.approx(100 * change.mean())
    assert 0 < figures["t2v_kendall_tau"] < 1


def test_a_rising_function_of_the_exact_logit_ranks_as_it_does_and_a_falling_one_backwards():
    mu_a, la, mu_b, lb = gaussians(10, 14, 5)
    sides = (mu_a, np.full_like(la, -60.0), mu_b, np.full_like(lb, -60.0))
    # Without variance the logit is -scale * D * ed: a line in ed.
    ed, vd = (x.ravel() for x in distance_moments(*gaussians(10, 14, 5)))
    positives = matches(10, 14)
    for sign, tau in ((-1, 1.0), (1, -1.0)):
        surrogate = linear(sides, (ed, vd), sign * 3.0 * ed)
        figures = ranking_certificate(*sides, surrogate, 2.0, 1.0, positives)
        for direction in DIRECTIONS:
            assert figures[f"{direction}_kendall_tau"] == pytest.approx(tau)
        assert (figures["t2v_r1_changed"] == 0) == (sign == -1)
        assert (figures["t2v_r1_difference"] == 0) == (sign == -1)


def test_a_constant_surrogate_has_chance_and_orders_nothing():
    sides = gaussians(10, 20, 5)
    ed, vd = (x.ravel() for x in distance_moments(*sides))
    constant = linear(sides, (ed, vd), np.full(ed.size, -2.0))
    figures = ranking_certificate(*sides, constant, 0.5, 0.0, matches(10, 20))
    assert figures["t2v_kendall_tau"] == figures["v2t_kendall_tau"] == 0
    exact = exact_matrix(sides)
    right = (exact.argmax(0) == np.arange(20) % 10).mean()
    assert figures["t2v_r1_difference"] == pytest.approx(100 * (0.1 - right))
    assert figures["t2v_r10_changed"] == 0  # all ten items are among the first ten


def test_equal_pictures_are_ties_of_both():
    mu_a, la, mu_b, lb = gaussians(8, 8, 6)
    sides = (np.repeat(mu_a, 2, 0), np.repeat(la, 2, 0), mu_b, lb)
    teacher = build_teacher(
        mu_a, mu_b, source="domain", estimator="exact", pairs=500, scale=0.5, progress=False
    )
    positives = np.stack([2 * np.arange(8), np.arange(8)], axis=1)
    figures = ranking_certificate(*sides, teacher.fit(4), 0.5, 0.0, positives)
    # The right item and its copy share the place: the chance of a hit is a half for both.
    assert figures["t2v_r1_changed"] in np.arange(9) / 16
    assert figures["t2v_kendall_tau"] > 0.9


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_queries_are_drawn_by_the_seed_among_those_with_a_positive(kind):
    sides = gaussians(30, 60, 4)
    teacher = build_teacher(*sides[:3:2], source="domain", pairs=500, progress=False)
    positives = matches(30, 60)[:25]  # items and captions from 25 on have none
    given = [kind(side) for side in sides]

    def judged(**settings):
        return ranking_certificate(*given, teacher.fit(2), 0.1, 0.0, positives, **settings)

    few = judged(queries=7, seed=1)
    assert few["t2v_queries"] == few["v2t_queries"] == 7
    assert few == judged(queries=7, seed=1) != judged(queries=7, seed=2)
    assert judged(queries=500)["t2v_queries"] == judged(queries=500)["v2t_queries"] == 25


def test_misuse_is_refused():
    sides = gaussians(5, 4, 6)
    surrogate = build_teacher(*sides[:3:2], source="domain", pairs=50, progress=False).fit(1)
    positives = matches(5, 4)
    with pytest.raises(NumericsError, match="0 queries leave no ranking to judge"):
        ranking_certificate(*sides, surrogate, 0.1, 0.0, positives, queries=0)
    with pytest.raises(NumericsError, match="without positives there is no ranking"):
        ranking_certificate(*sides, surrogate, 0.1, 0.0, positives[:0])
    with pytest.raises(NumericsError, match="within 5 items and 4 captions"):
        ranking_certificate(*sides, surrogate, 0.1, 0.0, np.array([[5, 0]]))
    other = build_teacher(np.eye(7), np.eye(7), source="domain", pairs=50, progress=False).fit(1)
    with pytest.raises(NumericsError, match="fitted for embeddings of width 7 but used on width 6"):
        ranking_certificate(*sides, other, 0.1, 0.0, positives)
