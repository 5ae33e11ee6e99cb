"""The table of teachers against teachers built one by one."""

import numpy as np
import pytest

from polymatch.data.tables import check_table, load_schema
from polymatch.errors import NumericsError
from polymatch.settings.stages import TeacherComparisonSettings, TeacherSettings
from polymatch.surrogate import configured_teacher, distance_moments, match_logit
from polymatch.surrogate.comparison import SOURCES, Sides, compare_teachers
from polymatch.surrogate.probability import METHODS

SETTINGS = TeacherComparisonSettings(n_pairs=600, test_pairs=40, degree=2, K=4, a=0.5, b=0.3)


def sides(n=20, m=25, dim=16, seed=0, level=-3.0):
    rng = np.random.default_rng(seed)
    means = [rng.normal(size=(rows, dim)) for rows in (n, m)]
    items, captions = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in means)
    logvars = [0.5 * rng.normal(size=(rows, dim)) + level for rows in (n, m)]
    return Sides(items, logvars[0], captions, logvars[1])


def without_variance(full):
    return full._replace(logvar_items=None, logvar_captions=None)


@pytest.fixture(scope="module")
def compared():
    train = without_variance(sides())
    # Out of order, as a mapping may be.
    sources = {"domain": train, "pcme": sides(seed=1), "fixed": train}
    heads = {("near", 0): sides(seed=2), ("near", 1): sides(seed=3), ("wide", 0): sides(level=9)}
    return sources, heads, compare_teachers(sources, heads, SETTINGS, progress=False)


def test_a_row_for_each_source_and_estimator_as_the_schema_says(compared):
    table, points = compared[2]
    check_table(table, load_schema("teachers"), "teachers")
    check_table(points, load_schema("teacher_points"), "points")
    assert list(zip(table["source"], table["estimator"], strict=True)) == [
        (source, method) for source in SOURCES for method in METHODS
    ]
    np.testing.assert_allclose(table["pairs_per_second"] * table["seconds"], 600)


@pytest.mark.parametrize("source", SOURCES)
def test_errors_are_those_of_the_same_pairs_labelled_twice(compared, source):
    sources, _, (table, _) = compared
    given = sources[source]
    own = table[table["source"] == source].set_index("estimator")
    assert own.loc["exact", ["logit_error_max", "probability_error_max", "logit_bias"]].eq(0).all()

    def teacher(estimator):
        settings = TeacherSettings(
            source=source,
            estimator=estimator,
            n_pairs=600,
            K=4,
            a=0.5,
            b=0.3,
            model="x" if source == "pcme" else None,
        )
        variances = (given.logvar_items, given.logvar_captions) if source == "pcme" else None
        return configured_teacher(
            settings, given.mu_items, given.mu_captions, variances, progress=False
        )

    exact = teacher("exact")
    for method in METHODS:
        built, row = teacher(method), own.loc[method]
        np.testing.assert_array_equal(built.ed, exact.ed)
        logit = built.logit - exact.logit
        assert row["logit_error_mean"] == pytest.approx(np.abs(logit).mean())
        assert row["logit_error_max"] == pytest.approx(np.abs(logit).max())
        assert row["logit_bias"] == pytest.approx(logit.mean())
        difference = built.probability - exact.probability
        assert row["probability_bias"] == pytest.approx(difference.mean())
        assert row["probability_error_max"] == pytest.approx(np.abs(difference).max())
        assert (row["ed_min"], row["vd_max"]) == (built.ed.min(), built.vd.max())
        assert row["fit_logit_rms"] == built.fit(2).errors["logit_rms"]
    line = own["ed_vd_correlation"]
    assert (line > 1 - 1e-9).all() if source == "fixed" else (line < 0.999).all()


def test_surrogates_are_judged_on_the_heads_pairs(compared):
    sources, heads, (table, points) = compared
    assert (table["test_runs"] == 3).all()
    judged = table.set_index(["source", "estimator"])
    # `domain` reaches to a log-variance of 2: heads at -3 are inside, one at 9 is not.
    assert judged.loc[("domain", "exact"), "test_outside_share"] == pytest.approx(1 / 3, abs=0.05)
    assert (judged.loc["fixed", "test_outside_share"] == 1).all()
    shown = points[points["kind"] == "head"]
    assert shown["name"].value_counts().to_dict() == {"near": 80, "wide": 40}
    # The sampled pairs are pairs of that head, and the largest error is not below theirs.
    surrogate = configured_teacher(
        TeacherSettings(source="domain", estimator="exact", n_pairs=600, K=4, a=0.5, b=0.3),
        *sources["domain"][::2],
        progress=False,
    ).fit(2)
    wide = heads["wide", 0]
    ed, vd = distance_moments(*wide)
    assert np.isin(shown.loc[shown["name"] == "wide", "ed"].round(6), ed.round(6)).all()
    a, la, b, lb = wide
    rows, columns = (index.ravel() for index in np.indices((20, 25)))
    exact = match_logit(a[rows], la[rows], b[columns], lb[columns], 0.5, 0.3)
    errors = np.abs(surrogate.logits(ed, vd).ravel() - exact)
    found = judged.loc[("domain", "exact"), "test_logit_error_max"]
    assert np.median(errors) < found <= errors.max() * (1 + 1e-9)


def test_regions_are_outlines_of_the_pairs(compared):
    points = compared[2].points
    for source in SOURCES:
        own = points[points["name"] == source]
        pairs, corners = own[own["kind"] == "teacher"], own[own["kind"] == "region"]
        assert len(pairs) == 600 and len(corners) >= 2
        for column in ("ed", "vd"):
            assert corners[column].min() == pytest.approx(pairs[column].min())
            assert corners[column].max() == pytest.approx(pairs[column].max())


def test_without_trained_runs_nothing_is_said_of_them():
    table, points = compare_teachers(
        {"fixed": without_variance(sides())}, {}, SETTINGS, progress=False
    )
    check_table(table, load_schema("teachers"), "teachers")
    assert table["test_outside_share"].isna().all() and (table["test_runs"] == 0).all()
    assert set(points["kind"]) == {"teacher", "region"}


def test_misuse_is_refused():
    with pytest.raises(NumericsError, match="source 'fixd' is not one of fixed, pcme, domain"):
        compare_teachers({"fixd": sides()}, {}, SETTINGS)
    with pytest.raises(NumericsError, match="model 'm' gives no log-variances"):
        compare_teachers({}, {("m", 0): without_variance(sides())}, SETTINGS)
    empty = Sides(*(x[:0] for x in sides()))
    with pytest.raises(NumericsError, match="model 'm' has no test pairs"):
        compare_teachers({}, {("m", 0): empty}, SETTINGS)
