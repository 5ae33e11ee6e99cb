"""The error map: its exact probability against Gaussians that have those moments, and its grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.tables import check_table, load_schema
from polymatch.errors import DataError
from polymatch.reporting.error_map_figure import error_map_figure
from polymatch.reporting.figures import save_figure
from polymatch.surrogate import Teacher, build_teacher, distance_moments, match_logit
from polymatch.surrogate.error_map import error_map, plain_logit

WIDTH = 24
EMBEDDINGS = np.random.default_rng(0).normal(size=(2, 40, WIDTH))


def teacher_of(source, **settings):
    return build_teacher(
        *EMBEDDINGS, source=source, pairs=600, estimator="exact", progress=False, **settings
    )


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 2), st.floats(-5, 2), st.floats(0, 4), st.floats(0.05, 2), st.floats(-2, 2))
def test_of_even_variances_it_is_the_match_logit_itself(one, other, square, scale, shift):
    mean = np.zeros((2, 1, WIDTH))
    mean[1, 0, 0] = np.sqrt(square)
    logvar = [np.full((1, WIDTH), value) for value in (one, other)]
    sides = mean[0], logvar[0], mean[1], logvar[1]
    ed, vd = (np.asarray(moment, float).ravel() for moment in distance_moments(*sides))
    found = plain_logit(ed, vd, WIDTH, scale, shift)
    # The moments come in float32, of which the variance is a root near the limit of even ones.
    np.testing.assert_allclose(found, match_logit(*sides, scale, shift), rtol=2e-3, atol=2e-3)


def test_beyond_even_variances_some_dimensions_have_all_of_it():
    logvar = np.full((1, WIDTH), -60.0)
    logvar[:, : WIDTH // 3] = 0.5
    mean = np.zeros((1, WIDTH))
    s = 2 * np.exp(0.5)
    ed, vd = np.array([s / 3]), np.array([2 * s**2 / 3 / WIDTH])
    assert vd > 2 * ed**2 / WIDTH
    expected = match_logit(mean, logvar, mean, logvar, 0.3, 1.0)
    np.testing.assert_allclose(plain_logit(ed, vd, WIDTH, 0.3, 1.0), expected, atol=1e-8)


def test_the_two_meet_where_the_means_are_one_point():
    ed = np.array([0.5, 0.5])
    vd = 2 * ed**2 / WIDTH * np.array([1 - 1e-12, 1 + 1e-12])
    below, above = plain_logit(ed, vd, WIDTH, 0.1, 0.0)
    assert below == pytest.approx(above, abs=1e-4)


@pytest.mark.parametrize(("source", "published"), [("domain", False), ("fixed", True)])
def test_the_grid_covers_teacher_and_reach_and_holds_both_logits(source, published):
    teacher = teacher_of(source)
    surrogate = teacher.fit(4, published=published)
    errors = error_map(surrogate, teacher, points=15, shown=50)
    check_table(errors, load_schema("error_map"), "errors")
    grid, pairs, edge = (errors[errors["kind"] == kind] for kind in ("grid", "teacher", "region"))
    assert len(grid) == 15 * 15 and len(pairs) == 50
    for column, values in (("ed", teacher.ed), ("vd", teacher.vd)):
        assert grid[column].min() < values.min() and values.max() < grid[column].max()
        assert pairs[column].isin([float(f"{v:.6g}") for v in values]).all()
    exact = plain_logit(grid["ed"].to_numpy(), grid["vd"].to_numpy(), WIDTH, 0.1, 0.0)
    np.testing.assert_allclose(grid["logit"], exact, rtol=1e-4, atol=1e-4)
    difference = (grid["surrogate_logit"] - grid["logit"]).abs()
    np.testing.assert_allclose(grid["logit_error"], difference, rtol=1e-3, atol=1e-3)
    # The edge is that of the region: points a little further out are outside.
    centre = surrogate.region.centre
    on = edge[["ed", "vd"]].to_numpy()
    out = on + 1e-2 * (on - centre)
    if source == "domain":
        assert surrogate.region.outside(*out.T).all()
        inside = on - 1e-2 * (on - centre)
        assert not surrogate.region.outside(*inside.T).any()
    assert np.allclose(on[0], on[-1])


def test_inside_the_region_a_good_fit_is_good_and_it_is_seen_to_end():
    teacher = teacher_of("domain")
    errors = error_map(teacher.fit(5), teacher, points=21)
    pairs, grid = (errors[errors["kind"] == kind] for kind in ("teacher", "grid"))
    assert pairs["probability_error"].max() < 0.02
    assert grid.loc[~grid["inside"].astype(bool), "logit_error"].max() > 10


def test_a_teacher_that_does_not_say_its_scale_is_an_error():
    teacher = teacher_of("fixed")
    columns = (teacher.ed, teacher.vd, teacher.logit, teacher.probability, teacher.weight)
    bare = Teacher(*columns, {"width": WIDTH})
    with pytest.raises(DataError, match=r"^teacher: its scale is not known; build it again$"):
        error_map(teacher.fit(2), bare)


def test_the_figure_is_the_same_every_time(tmp_path):
    teacher = teacher_of("fixed")
    errors = error_map(teacher.fit(3), teacher, points=9, shown=20)
    for name in ("one.svg", "two.svg"):
        save_figure(error_map_figure(errors, "a model"), [tmp_path / name])
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert one == two and len(one) < 2**21
