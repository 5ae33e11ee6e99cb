"""The training curves: what is drawn is what the histories hold, seed by seed."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from polymatch.data.tables import read_table, write_table
from polymatch.reporting.curves import curve_points, training_curves
from polymatch.reporting.figures import save_figure


def history(kept, epochs=4, **columns):
    """A history as the loop has written it from the first; ``columns`` are later additions."""
    base = {
        "epoch": range(epochs + 1),
        "lr": [0.0, *np.linspace(1e-3, 1e-4, epochs)],
        "loss": [np.nan, *range(epochs, 0, -1)],
        "val_t2v_r1": np.linspace(1, 9, epochs + 1),
        "val_v2t_r1": np.linspace(2, 7, epochs + 1),
        "val_rsum": np.linspace(20, 80, epochs + 1),
        "seconds": np.arange(epochs + 1.0),
        "kept": [epoch == kept for epoch in range(epochs + 1)],
    }
    return pd.DataFrame(base | columns)


def drawn(histories):
    """The panels by what their axis says."""
    figure = training_curves(curve_points(histories), "a model")
    plt.close(figure)
    return {axes.get_ylabel(): axes for axes in figure.axes if axes.get_ylabel()}


def points(axes, marker):
    """(x, y) of each line of a panel with this marker, without the empty ones of legends."""
    return [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == marker]


def test_a_line_for_each_seed_and_a_marker_at_its_kept_epoch():
    panels = drawn({0: history(kept=2), 7: history(kept=4)})
    assert list(panels) == ["training loss", "R@1 on val (%)", "R-sum on val", "learning rate"]
    assert points(panels["R-sum on val"], "o") == [[[2, 50]]]
    assert points(panels["R-sum on val"], "s") == [[[4, 80]]]
    assert len(points(panels["R@1 on val (%)"], "None")) == 4  # two directions of two seeds
    labels = panels["training loss"].get_legend_handles_labels()[1]
    assert labels == ["seed 0, epoch 2", "seed 7, epoch 4"]


def test_the_untrained_models_learning_rate_is_not_drawn():
    (line,) = points(drawn({0: history(kept=2)})["learning rate"], "None")
    assert [x for x, _ in line] == [1, 2, 3, 4]


def test_more_columns_are_more_lines_and_panels():
    more = history(kept=1, temperature=0.07, val_loss=1.5)
    panels = drawn({0: more, 1: history(kept=1)})  # of which one is older
    assert list(panels) == [
        "loss",
        "R@1 on val (%)",
        "R-sum on val",
        "temperature",
        "learning rate",
    ]
    assert len(points(panels["temperature"], "None")) == 1
    assert points(panels["loss"], "o") == [[[1, 4]], [[1, 1.5]]]


def test_a_column_without_a_figure_is_no_panel():
    assert "temperature" not in drawn({0: history(kept=1, temperature=np.nan)})


def test_a_run_that_was_not_trained_has_figures_of_val_alone():
    only = history(kept=0).iloc[:1].drop(columns="loss")
    assert "R-sum on val" in drawn({0: only})


def test_histories_on_disk_give_the_same_bytes_every_time(tmp_path):
    write_table(history(kept=2, temperature=0.1, val_r1=5.0), tmp_path / "history.csv", "history")
    read = read_table(tmp_path / "history.csv", "history")
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"]
        save_figure(training_curves(curve_points({0: read}), "a model"), paths)
    for suffix in ("pdf", "png"):
        one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
        assert one == two and len(one) > 5000
