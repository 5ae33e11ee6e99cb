"""Every figure is drawn from the table beside it, in every format, and is the same every time."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from polymatch.data.tables import read_table
from polymatch.errors import DataError
from polymatch.evaluation import retrieval_ranks
from polymatch.reporting.curves import curve_points, training_curves
from polymatch.reporting.figures import (
    analog_simulation,
    latency_points,
    r1_against_latency,
    save_figure,
    simulated_points,
)
from polymatch.reporting.growth_figure import gallery_growth, growth_points
from polymatch.reporting.rank_curves import of_all_models
from polymatch.reporting.rank_figure import rank_figure, rank_histograms, recall_curves
from polymatch.reporting.rule_figure import rule_figure
from polymatch.reporting.space import Plane, Space
from polymatch.reporting.space_figure import space_figure, space_points
from polymatch.reporting.teacher_figure import teachers_and_heads

RANDOM = np.random.default_rng(0)
BOARD = pd.DataFrame(
    {
        "model": ["slow", "fast", "worse", "odd_name"],
        "similarity": ["poly", "mean", "mean", "mean"],
        "latency_ms": [4.0, 1.0, 2.0, 3.0],
        "t2v_r1": [12.0, 8.0, 7.0, 8.0],
        "t2v_r1_lo": [9.0, 6.0, 5.0, 6.5],
        "t2v_r1_hi": [14.5, 10.0, 9.0, 9.5],
        "family": "probabilistic",
    }
)
GROWTH = pd.DataFrame(
    {
        "gallery": [10, 10, 100, 100],
        "queries": [1, 5, 1, 5],
        "latency_ms": [1.0, 2.0, 3.0, 4.0],
        "latency_lo_ms": [0.5, 1.0, 2.0, 3.0],
        "latency_hi_ms": [2.0, 3.0, 4.0, 5.0],
        "memory_mb": 7.0,
    }
)
COVERED = pd.DataFrame(
    {
        "kind": ["teacher", "region", "region", "head"],
        "name": ["fixed", "fixed", "fixed", "pcme"],
        "ed": [0.1, 0.05, 0.2, 2.0],
        "vd": [0.01, 0.005, 0.02, 0.3],
    }
)
HISTORY = pd.DataFrame(
    {
        "epoch": [0, 1, 2],
        "kept": [False, False, True],
        "loss": [np.nan, 2.0, 1.0],
        "val_rsum": [10.0, 20.0, 1 / 3],
        "lr": [0.0, 1e-3, 1e-4],
    }
)
EDGES = pd.DataFrame(
    [
        ("b", "a", "forward"),
        ("c", "a", "implied"),
        ("c", "b", "forward"),
        ("d", "a", "forward"),
        ("d", "c", "forward"),
        ("d", "d", "itself"),
        ("b", "d", "back"),
    ],
    columns=["rule", "needs", "kind"],
)


def analog():
    points = [("digital", np.nan), ("adc_bits", 4), ("adc_bits", 8), ("weight_noise", 0.0)]
    points += [("drift_seconds", 0.0), ("drift_seconds", 3600.0)]
    table = pd.DataFrame(points, columns=["condition", "value"]).assign(
        model="a", similarity="mean", simulated_t2v_r1=5.0, programming_seeds=3
    )
    return table.assign(simulated_t2v_r1_lo=4.0, simulated_t2v_r1_hi=7.0)


def ranks():
    similarity = RANDOM.normal(size=(30, 30)) + 2 * np.eye(30)
    return retrieval_ranks(similarity, list(range(30)), list(range(30)))


def space():
    planes = [Plane(*RANDOM.normal(size=(2, 9, 2))) for _ in range(2)]
    drawn = Space(np.zeros((9, 2), int), *planes, np.array([0.5, 0.3, 0.2]), 2.5, 0.125)
    groups = ["x"] * 4 + ["y"] * 3 + ["z", "u"]
    similarities = RANDOM.normal(1, size=9), RANDOM.normal(size=72)
    return space_points(drawn, [f"item {n}" for n in range(9)], groups, similarities)


def figures():
    """Name of the schema -> a table, and what draws it."""
    runs = {("a", "mean"): [ranks(), ranks()], ("b", "poly"): [ranks()]}
    curves, histograms = of_all_models(runs, resamples=100)
    growths = {("a", "mean"): GROWTH, ("b_c", "poly"): GROWTH}
    return {
        "r1_latency": (latency_points(BOARD), r1_against_latency),
        "gallery_growth": (growth_points(growths), gallery_growth),
        "deployability": (
            simulated_points([analog(), analog().assign(model="b")]),
            analog_simulation,
        ),
        "teacher_points": (COVERED, teachers_and_heads),
        "training_curves": (
            curve_points({0: HISTORY, 4: HISTORY}),
            lambda points: training_curves(points, "a model"),
        ),
        "space": (space(), lambda points: space_figure(points, "mean", 8, "a model")),
        "recall_curves": (curves, recall_curves),
        "rank_histograms": (histograms, rank_histograms),
        "rulegraph": (EDGES, rule_figure),
    }


FIGURES = figures()


@pytest.mark.parametrize("schema", FIGURES)
def test_the_csv_beside_a_figure_draws_it_again_to_the_byte(schema, tmp_path):
    data, draw = FIGURES[schema]
    kinds = ("pdf", "svg", "png", "csv")
    for name in ("one", "two"):
        save_figure(draw(data), [tmp_path / f"{name}.{kind}" for kind in kinds], data, schema)
        data = read_table(tmp_path / "one.csv", schema)
    for kind in kinds:
        one, two = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
        assert one == two, kind
    assert one and not plt.get_fignums()


@pytest.mark.parametrize("schema", FIGURES)
def test_text_in_svg_is_text_and_nothing_says_when(schema, tmp_path):
    data, draw = FIGURES[schema]
    save_figure(draw(data), [tmp_path / "figure.svg"])
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    said = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(said) > 3 and "dc:date" not in text
    assert not re.search(r'id="DejaVu', text)


def test_a_faster_row_that_is_as_good_keeps_others_off_the_front():
    points = latency_points(BOARD)
    assert points["model"].tolist() == ["fast", "worse", "odd_name", "slow"]
    assert points["pareto"].tolist() == [True, False, False, True]
    front = next(
        line
        for line in r1_against_latency(points).axes[0].lines
        if line.get_label() == "Pareto front"
    )
    plt.close("all")
    assert front.get_xdata().tolist() == [1.0, 4.0]


def test_a_table_that_breaks_its_schema_is_not_written(tmp_path):
    data = latency_points(BOARD).assign(t2v_r1_hi=101.0)
    with pytest.raises(
        DataError, match=r"column 't2v_r1_hi', row 1: 101.0 is above the maximum of 100"
    ):
        save_figure(r1_against_latency(data), [tmp_path / "a.csv"], data, "r1_latency")
    assert not list(tmp_path.iterdir())
    plt.close("all")


def test_a_run_with_one_candidate_or_few_can_be_drawn(tmp_path):
    for number in (1, 2, 7):
        ids = list(range(number))
        runs = {("a", "mean"): [retrieval_ranks(np.eye(number), ids, ids)]}
        curves, histograms = of_all_models(runs, resamples=100)
        save_figure(rank_figure(curves, histograms, "few"), [tmp_path / f"{number}.png"])


def test_bars_of_both_directions_stand_at_their_bins():
    # Five captions an item: the directions have galleries, and so last bins, of different sizes.
    owner = np.repeat(np.arange(30), 5)
    similarity = RANDOM.normal(size=(30, 150))
    similarity[owner, np.arange(150)] += 1
    runs = {("a", "mean"): [retrieval_ranks(similarity, list(range(30)), owner.tolist())]}
    curves, histograms = of_all_models(runs, resamples=100)
    figure = rank_figure(curves, histograms, "a model")
    plt.close(figure)
    names = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert names == ["1", "2", "3–5", "6–10", "11–20", "21–50", "51–100", "101–150"]
    tall = [bar.get_height() for bar in figure.axes[1].patches]
    assert sum(tall) == pytest.approx(200)
