"""A sweep's combinations are ordinary entries; what is wrong in one is said in one line."""

import itertools
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config
from polymatch.settings.section import NAME

DEFAULT = yaml.safe_load((Path(__file__).parents[2] / "config/config.yaml").read_text())
POLY = {
    "family": "probabilistic",
    "loss": "poly",
    "similarities": ["poly"],
    "teacher": "domain",
    "degree": 3,
}


def with_sweeps(**sweeps):
    return {
        "teachers": {"domain": {"source": "domain"}, "fixed": {"source": "fixed"}},
        "models": {
            "aligned": {"family": "aligned"},
            "pcme": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean", "mc"]},
            "poly": POLY,
            "poly_4": {**POLY, "degree": 4},
        },
        "seeds": [0, 1],
        "sweeps": sweeps,
    }


def grid_of(model, **grid):
    return with_sweeps(s={"model": model, "grid": grid})


def load_points(raw):
    config = load_config(raw)
    return config, config.points["s"]


def test_every_combination_is_an_entry_like_one_written_by_hand():
    raw = with_sweeps(
        s={
            "model": "poly",
            "grid": {"training.lr": [1e-3, "5e-6"], "variance.kind": ["kl", "none"], "tau": [1]},
        }
    )
    config, points = load_points(raw)
    expected = list(itertools.product([1e-3, 5e-6], ["kl", "none"], [1.0]))
    assert [tuple(point.choice.values()) for point in points] == expected
    for point, (lr, kind, tau) in zip(points, expected, strict=True):
        raw = with_sweeps()
        more = {"training": {"lr": lr}, "variance": {"kind": kind}, "tau": tau}
        raw["models"]["by_hand"] = {**POLY, **more}
        assert config.model_entry(point.name) == load_config(raw).model_entry("by_hand")
    assert points[2].name == "poly.training.lr_5e-6.variance.kind_kl.tau_1"


def test_entries_of_sweeps_are_runs_that_can_be_asked_for_but_not_in_the_summary():
    config, points = load_points(grid_of("pcme", **{"training.epochs": [1, 2]}))
    assert not {run.model for run in config.runs()} & {point.name for point in points}
    assert [run.seed for run in config.runs_of(points[0].name)] == [0, 1]
    assert config.sweep_models("s") == [point.name for point in points]


def test_equal_settings_are_one_entry():
    """Of `models`, whatever it is called, or of an earlier sweep."""
    raw = with_sweeps(
        degree={"model": "poly", "grid": {"degree": [3, 4, 5]}},
        more={"model": "poly_4", "grid": {"degree": [5, 6], "training.lr": [1e-4]}},
    )
    config = load_config(raw)
    assert [p.name for p in config.points["degree"]] == ["poly", "poly_4", "poly.degree_5"]
    names = ["poly.degree_5", "poly_4.degree_6.training.lr_0.0001"]
    assert [p.name for p in config.points["more"]] == names
    assert list(config.entries) == ["aligned", "pcme", "poly", "poly_4", *names]


def test_equal_fits_are_one_surrogate():
    raw = with_sweeps(
        lr={"model": "poly_4", "grid": {"training.lr": [0.1, 0.2]}},
        fit={"model": "poly", "grid": {"alpha": [0.5], "teacher": ["fixed", "domain"]}},
    )
    config = load_config(raw)
    found = {name: config.surrogate_model(name) for name in config.entries if "poly" in name}
    assert found == {
        "poly": "poly",
        "poly_4": "poly_4",
        "poly_4.training.lr_0.1": "poly_4",
        "poly_4.training.lr_0.2": "poly_4",
        "poly.alpha_0.5.teacher_fixed": "poly.alpha_0.5.teacher_fixed",
        "poly.alpha_0.5.teacher_domain": "poly.alpha_0.5.teacher_domain",
    }


@given(
    st.lists(
        st.floats(1e-12, 1e12) | st.integers(1, 10**9), min_size=1, max_size=4, unique_by=float
    )
)
def test_any_numbers_make_names_that_are_paths_and_differ(values):
    try:
        config, points = load_points(grid_of("poly", tau=values))
    except ConfigError as error:  # they differ after the twelfth digit only
        assert "is there twice" in str(error) or "named like another" in str(error)
        return
    assert [config.model_entry(point.name).tau for point in points] == values
    assert all(re.match(NAME, point.name) and "+" not in point.name for point in points)
    assert len({point.name for point in points}) == len(values)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"model": "polly"}, r"sweeps\.s\.model: unknown model 'polly'; did you mean 'poly'\?"),
        ({"beside": ["pcm"]}, r"sweeps\.s\.beside: unknown model 'pcm'; did you mean 'pcme'\?"),
        ({"beside": ["poly_4"]}, r"sweeps\.s\.beside: 'poly_4' is in the table already"),
        ({"beside": ["pcme", "pcme"]}, r"sweeps\.s\.beside: 'pcme' is in the table already"),
        ({"select": "t2v_r1"}, r"sweeps\.s\.select: 't2v_r1' is not allowed: .*'val_rsum'"),
        ({"grd": {}}, r"sweeps\.s\.grd: unknown key 'grd'; did you mean 'grid'\?"),
        ({"grid": {}}, r"sweeps\.s\.grid: is not allowed: .*at least 1"),
        ({"grid": {"degree": []}}, r"sweeps\.s\.grid\.degree: \[\] is not allowed"),
        ({"grid": {"degree": 3}}, r"sweeps\.s\.grid\.degree: 3 is not allowed: .*valid list"),
        ({"grid": {"degre": [3]}}, r"sweeps\.s\.grid\.degre: unknown key 'degre'; did you mean"),
        ({"grid": {"training.epoch": [1]}}, r"\.training\.epoch: unknown key 'epoch'; did you"),
        ({"grid": {"tau.x": [1]}}, r"grid\.tau\.x: unknown key 'x'; allowed: none"),
        ({"grid": {"degree": [11]}}, r"sweeps\.s\.grid\.degree: 11 is not allowed: .*equal to 10"),
        ({"grid": {"degree": [3, "x"]}}, r"sweeps\.s\.grid\.degree: 'x' is not allowed: .*integer"),
        ({"grid": {"training.lr": ["fast"]}}, r"grid\.training\.lr: 'fast' is not allowed"),
        ({"grid": {"variance.kind": ["l2"]}}, r"grid\.variance\.kind: 'l2' is not .*'kl'"),
        (
            {"grid": {"teacher": ["fixt"]}},
            r"s\.grid\.teacher: unknown teacher 'fixt'; did you mean",
        ),
        ({"grid": {"degree": [3, 3]}}, r"sweeps\.s\.grid: degree=3 is there twice"),
        ({"grid": {"tau": [1, "1e0"]}}, r"sweeps\.s\.grid: tau=1\.0 is there twice"),
        (
            {"grid": {"max_logvar": [-9], "tau": [1]}},
            r"sweeps\.s\.grid: max_logvar=-9, tau=1 is not allowed: min_logvar -5\.0 must be below",
        ),
        ({"grid": {"similarities": [["mean"]]}}, r"grid\.similarities: \['mean'\] makes no name"),
    ],
)
def test_what_is_wrong_in_a_sweep_is_one_line_that_names_it(sweep, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(with_sweeps(s={"model": "poly", "grid": {"degree": [4]}, **sweep}))
    assert "\n" not in str(caught.value)


def test_a_name_that_is_taken_by_other_settings_is_refused():
    raw = grid_of("poly", degree=[5])
    raw["models"]["poly.degree_5"] = {**POLY, "tau": 0.5}
    with pytest.raises(ConfigError, match=r"'poly\.degree_5' would be named like another entry"):
        load_config(raw)


def test_an_unknown_sweep_is_answered_with_the_known_ones():
    config = load_config(DEFAULT)
    with pytest.raises(ConfigError, match=r"unknown sweep 'degre'; did you mean 'degree'\?"):
        config.sweep_models("degre")


def test_the_degree_of_the_embedded_config_is_the_model_that_is_there():
    config = load_config(DEFAULT)
    more = [f"poly_domain_5.degree_{degree}" for degree in (3, 4, 6)]
    names = [*more[:2], "poly_domain_5", more[2]]
    assert config.sweep_models("degree") == [*names, "aligned", "pcme"]
    again = load_config(json.loads(config.model_dump_json()))
    assert again.entries == config.entries
