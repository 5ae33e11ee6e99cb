"""A study's table, its best entry, and figures that can be drawn of any study."""

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from optuna.trial import TrialState
from PIL import Image

from polymatch.data.tables import read_table, write_table
from polymatch.errors import NumericsError
from polymatch.reporting.figures import save_figure
from polymatch.reporting.tuning import best_entry, study_of, trials_table, value_of
from polymatch.reporting.tuning_figures import (
    draw_history,
    draw_importance,
    draw_parallel,
    history_points,
    importance_points,
    importances,
    parallel_points,
    tuning_figures,
)
from polymatch.settings.config import load_config
from polymatch.settings.search_space import final_entry, parse_tuning
from polymatch.training.samplers import distribution

RAW = {
    "base": {
        "family": "probabilistic",
        "similarities": ["mean"],
        "training": {"epochs": 40, "patience": 4},
    },
    "space": {
        "loss": {"choices": ["mean", "sampled"]},
        "K_train": {"low": 1, "high": 5, "when": {"loss": ["sampled"]}},
        "hidden": {"choices": [8, 16]},
        "variance.weight": {"choices": [0.5, 1.0]},
        "training.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    },
}
SETTINGS = parse_tuning(RAW)


def study(count, value=lambda params: 50 + 10 * np.log10(params["training.lr"])):
    """Trials of which every third is pruned, then an interrupted and an impossible one."""
    random = np.random.default_rng(0)
    made = optuna.create_study(direction="maximize")
    for number in range(count):
        params = {
            "loss": random.choice(["mean", "sampled"]).item(),
            "K_train": int(random.integers(1, 6)),
            "hidden": int(random.choice([8, 16])),
            "variance.weight": float(random.choice([0.5, 1.0])),
            "training.lr": float(10 ** random.uniform(-4, -1)),
        }
        if params["loss"] == "mean":
            del params["K_train"]
        add(made, params, value(params), "PRUNED" if number % 3 == 2 else "COMPLETE", 6)
    return made


def add(made, params, value, state, epochs, **attributes):
    made.add_trial(
        optuna.create_trial(
            state=TrialState[state],
            value=value,
            params=params,
            distributions={key: distribution(SETTINGS.space[key]) for key in params},
            intermediate_values=dict.fromkeys(range(1, epochs + 1), value or 0.0),
            user_attrs={"seconds": 1.5, **attributes} if epochs else attributes,
        )
    )


def with_losses(count=12):
    made = study(count)
    add(made, {"loss": "mean"}, None, "FAIL", 2)
    add(made, {"loss": "mean", "hidden": 8}, None, "PRUNED", 0, reason="impossible: because")
    return made


def table_of(made, tmp_path):
    """As the figures read it: through CSV."""
    write_table(trials_table(made, SETTINGS), tmp_path / "trials.csv", "trials")
    return read_table(tmp_path / "trials.csv", "trials")


def test_the_table_says_of_every_trial_what_it_tried_and_how_it_ended(tmp_path):
    made = with_losses()
    table = table_of(made, tmp_path)
    assert table["number"].tolist() == list(range(14))
    assert table["state"].tolist() == ["complete", "complete", "pruned"] * 4 + ["failed", "pruned"]
    assert table["reason"].tolist()[-2:] == ["interrupted", "impossible: because"]
    assert table["epochs"].tolist() == [6] * 12 + [2, 0]
    for row, trial in zip(table.to_dict("records"), made.trials, strict=True):
        found = {key: value_of(row[key], dim) for key, dim in SETTINGS.space.items()}
        assert {key: value for key, value in found.items() if value is not None} == trial.params
        assert row["value"] == trial.value or (np.isnan(row["value"]) and trial.value is None)
    again = study_of(table, SETTINGS)
    finished = [trial for trial in made.trials if trial.value is not None]
    assert [t.params for t in again.trials] == [t.params for t in finished]


def test_the_best_entry_is_that_of_the_best_complete_trial():
    made = with_losses()
    add(made, made.trials[0].params, 999.0, "PRUNED", 2)
    complete = [t for t in made.trials if t.state == TrialState.COMPLETE]
    best = max(complete, key=lambda trial: trial.value)
    text = best_entry("s", SETTINGS, made)
    assert text.startswith(f"# s: trial {best.number} of 15 (8 complete, 6 pruned, 1 failed) is")
    assert f"# val_r1 {best.value:.2f} within 20 epochs." in text
    models = yaml.safe_load(text)["models"]
    config = load_config({"models": {"aligned": {"family": "aligned"}, **models}})
    assert config.models["s_best"] == final_entry(SETTINGS, best.params)
    assert config.models["s_best"].training.epochs == 40


def test_the_first_of_equals_is_the_best():
    made = study(6, value=lambda params: 1.0)
    assert best_entry("s", SETTINGS, made).startswith("# s: trial 0 of 6 ")


def test_a_study_without_a_complete_trial_has_no_best_one():
    made = optuna.create_study(direction="maximize")
    add(made, {"loss": "mean"}, None, "PRUNED", 0, reason="impossible: because")
    message = r"study s: none of 1 trials is complete; the last one: impossible: because$"
    with pytest.raises(NumericsError, match=message):
        best_entry("s", SETTINGS, made)


def test_the_setting_that_decides_is_the_important_one():
    found = importances(study(60), SETTINGS).set_index("key")
    assert found.index[0] == "training.lr" and found.loc["training.lr", "importance"] > 0.8
    assert found["importance"].between(0, 1).all()
    sampled = sum(trial.params["loss"] == "sampled" for trial in study(60).trials)
    assert found.loc["K_train", "trials"] == sampled
    assert set(found["trials"]) == {sampled, 60}


def test_a_conditional_setting_that_decides_is_found_among_its_own_trials():
    found = importances(study(60, value=lambda p: float(p.get("K_train", 0))), SETTINGS)
    assert found.loc[found["key"] == "K_train", "importance"].item() > 0.8


@pytest.mark.parametrize(
    ("count", "value"), [(1, 3.0), (3, 3.0), (20, 3.0), (0, 3.0)], ids=["1", "3", "equal", "none"]
)
def test_nothing_is_said_to_matter_where_nothing_can_be_told(tmp_path, count, value):
    made = study(count, value=lambda params: value)
    table = table_of(made, tmp_path)
    assert importances(study_of(table, SETTINGS), SETTINGS).empty
    figure = draw_importance(importance_points(table, SETTINGS), SETTINGS)
    assert "Too few finished trials" in figure.axes[0].texts[0].get_text()
    draw_history(history_points(table, SETTINGS), SETTINGS).canvas.draw()
    draw_parallel(parallel_points(table, SETTINGS), SETTINGS).canvas.draw()
    plt.close("all")


def test_the_history_shows_the_best_so_far(tmp_path):
    table = table_of(with_losses(), tmp_path)
    axes = draw_history(history_points(table, SETTINGS), SETTINGS).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    complete = table[table["state"] == "complete"]
    best = [complete["value"][: n + 1].max() for n in range(len(complete))]
    assert lines["best so far"].get_ydata().tolist() == best
    assert len(lines["pruned"].get_xdata()) == 4
    assert "impossible or interrupted" in lines
    plt.close("all")


def test_parallel_lines_pass_their_values_and_the_foot_where_there_is_none(tmp_path):
    made = study(12)
    points = parallel_points(table_of(made, tmp_path), SETTINGS)
    axes = draw_parallel(points, SETTINGS).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 6]
    ordered = sorted(made.trials, key=lambda trial: trial.value)
    for trial, line in zip(ordered, lines, strict=False):
        heights = line.get_ydata()
        assert (heights[1] < -0.05) == (trial.params["loss"] == "mean")
        assert heights[2] == pytest.approx({8: 0.25, 16: 0.75}[trial.params["hidden"]], abs=0.04)
        lr = (np.log10(trial.params["training.lr"]) + 4) / 3
        assert heights[4] == pytest.approx(lr)
    values = pd.Series([line.get_ydata()[-1] for line in lines[:12]])
    assert values.is_monotonic_increasing and values.iloc[[0, -1]].tolist() == [0, 1]
    best = max((t for t in ordered if t.state == TrialState.COMPLETE), key=lambda t: t.value)
    assert lines[12].get_ydata().tolist() == lines[ordered.index(best)].get_ydata().tolist()
    plt.close("all")


def test_the_figures_are_written_under_each_name(tmp_path):
    stems = ("history", "importance", "parallel")
    names = [f"{stem}.{kind}" for stem in stems for kind in ("pdf", "png", "csv", "svg")]
    paths = [tmp_path / name for name in names]
    tuning_figures(table_of(with_losses(), tmp_path), SETTINGS, paths)
    assert all(path.read_bytes()[:4] == b"%PDF" for path in paths[::4])
    assert all(Image.open(path).size[0] > 800 for path in paths[1::4])


@pytest.mark.parametrize(
    ("stem", "draw"),
    [("history", draw_history), ("importance", draw_importance), ("parallel", draw_parallel)],
)
def test_the_csv_beside_a_figure_draws_it_again_to_the_byte(tmp_path, stem, draw):
    paths = [tmp_path / f"{stem}.csv", tmp_path / f"{stem}.svg"]
    tuning_figures(table_of(with_losses(), tmp_path), SETTINGS, paths)
    again = tmp_path / "again.svg"
    save_figure(draw(read_table(paths[0], f"tuning_{stem}"), SETTINGS), [again])
    assert again.read_bytes() == paths[1].read_bytes()
