"""Sweeps from hand-made runs: val chooses, test is reported, and the choice is a config entry."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from polymatch.data.tables import read_table, write_table
from polymatch.evaluation import RetrievalRanks, bootstrap_intervals, metrics_of, retrieval_ranks
from polymatch.reporting.figures import save_figure
from polymatch.reporting.summary import run_directory
from polymatch.reporting.sweep_figures import draw_sweep
from polymatch.reporting.sweeps import best_entry, sweep_table
from polymatch.settings.config import load_config

RAW = {
    "models": {
        "aligned": {"family": "aligned"},
        "pcme": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean", "mc"]},
    },
    "seeds": [3, 4],
    "evaluation": {"resamples": 100, "k": [1, 5, 10, 20]},
    "sweeps": {
        "epochs": {
            "model": "pcme",
            "grid": {"training.epochs": [5, 10, 15]},
            "beside": ["aligned"],
        },
        "two": {
            "model": "pcme",
            "grid": {"training.lr": [1e-3, 5e-6], "variance.weight": [0.1, 1, 10]},
            "select": "val_t2v_r1",
            "beside": ["aligned"],
        },
        "lr": {"model": "pcme", "grid": {"training.lr": [1e-5, 3e-4, 1e-2]}},
        "kinds": {"model": "pcme", "grid": {"variance.kind": ["upper", "none"]}},
        "three": {
            "model": "pcme",
            "grid": {"tau": [0.1, 1], "hidden": [8, 16], "variance.kind": ["kl", "none"]},
            "beside": ["aligned"],
        },
    },
}
CONFIG = load_config(RAW)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Runs whose test figures are best where their validation figures are worst."""
    root = tmp_path_factory.mktemp("space")
    random = np.random.default_rng(0)
    ids = [str(i) for i in range(30)]
    for at, model in enumerate(CONFIG.entries):
        for run in CONFIG.runs_of(model):
            folder = run_directory(root, run)
            folder.mkdir(parents=True)
            for kind in CONFIG.model_entry(model).scored_by:
                similarity = random.normal(size=(30, 30)) + 0.3 * at * np.eye(30)
                retrieval_ranks(similarity, ids, ids).save(folder / f"{kind}.ranks.parquet")
                cost = {"latency_ms": 1.0 + run.seed, "memory_mb": 5.0, "stored_mb": 0.25}
                cost |= {"parameters": 7, "nonzero_parameters": 6, "weights_mb": 0.5}
                (folder / f"{kind}.latency.json").write_text(json.dumps(cost))
            val = 50.0 - at - run.seed % 2
            pd.DataFrame(
                {
                    "epoch": [0, 1, 2],
                    "val_rsum": [0.0, 3 * val, 500.0],
                    "val_r1": [0.0, val, 100.0],
                    "val_t2v_r1": [0.0, val, 100.0],
                    "val_v2t_r1": [0.0, val, 100.0],
                    "kept": [False, True, False],
                }
            ).to_csv(folder / "history.csv", index=False)
    return root


@pytest.fixture(params=list(RAW["sweeps"]))
def name(request):
    return request.param


def test_val_chooses_one_combination_of_the_grid_and_test_plays_no_part(space, name):
    table = sweep_table(CONFIG, name, space)
    chosen = table[table["chosen"]]
    assert chosen[["part", "similarity"]].to_numpy().tolist() == [["grid", "mean"]]
    # The runs were made so that the first has the best val, and the worst test figures.
    candidates = table[(table["part"] == "grid") & (table["similarity"] == "mean")]
    assert chosen.index[0] == candidates.index[0]
    assert chosen["rsum"].iloc[0] < candidates["rsum"].max()


def test_a_better_model_beside_the_grid_is_never_chosen(space):
    table = sweep_table(CONFIG, "epochs", space).set_index("model")
    assert table.loc["aligned", "val_rsum"] > table.loc[table["part"] == "grid", "val_rsum"].max()
    assert not table.loc["aligned", "chosen"]


def test_rows_are_means_over_seeds_with_the_interval_of_the_mean(space):
    table = sweep_table(CONFIG, "epochs", space)
    assert len(table) == 3 * 2 + 1
    for row in table.to_dict("records"):
        runs = CONFIG.runs_of(row["model"])
        folders = [run_directory(space, run) for run in runs]
        ranks = [RetrievalRanks.load(f / f"{row['similarity']}.ranks.parquet") for f in folders]
        metrics = [metrics_of(each, (1, 5, 10, 20)) for each in ranks]
        bounds = bootstrap_intervals(ranks, (1, 20), resamples=100)
        for metric in ("t2v_r20", "v2t_medr", "rsum"):
            assert row[metric] == pytest.approx(np.mean([each[metric] for each in metrics]))
        assert (row["t2v_r20_lo"], row["t2v_r20_hi"]) == bounds["t2v_r20"]
        assert row["seeds"] == len(runs) and row["latency_ms"] == 1.0 + runs[0].seed
    first = table.iloc[0]
    at = list(CONFIG.entries).index(first["model"])
    assert first["val_t2v_r1"] == 50.0 - at - 0.5


def test_a_similarity_that_val_never_saw_has_no_validation_figures(space):
    table = sweep_table(CONFIG, "epochs", space)
    assert table["val_rsum"].isna().tolist() == table["similarity"].eq("mc").tolist()


def test_the_table_holds_to_its_schema_and_shows_the_grid(space, tmp_path, name):
    table = sweep_table(CONFIG, name, space)
    write_table(table, tmp_path / "sweep.csv", "sweep")
    back = read_table(tmp_path / "sweep.csv", "sweep")
    choices = {point.name: point.choice for point in CONFIG.points[name]}
    for key in CONFIG.sweeps[name].grid:
        expected = [str(choices.get(model, {}).get(key, "")) for model in table["model"]]
        assert back[key].tolist() == expected
    assert back["t2v_r20"].tolist() == table["t2v_r20"].tolist()


def test_the_best_is_an_entry_that_the_config_accepts_as_it_is(space, name):
    table = sweep_table(CONFIG, name, space)
    text = best_entry(CONFIG, name, table)
    ((entry, settings),) = yaml.safe_load(text)["models"].items()
    assert entry == f"pcme.{name}_best"
    config = load_config({**RAW, "models": {**RAW["models"], entry: settings}})
    assert config.model_entry(entry) == CONFIG.model_entry(
        table.loc[table["chosen"], "model"].item()
    )
    assert entry in {run.model for run in config.runs()}


def test_every_kind_of_sweep_has_its_figure_from_the_table_as_it_was_written(space, tmp_path, name):
    write_table(sweep_table(CONFIG, name, space), tmp_path / "sweep.csv", "sweep")
    table = read_table(tmp_path / "sweep.csv", "sweep")
    for folder in ("one", "two"):
        paths = [tmp_path / folder / f"{name}.{suffix}" for suffix in ("png", "pdf")]
        save_figure(draw_sweep(table, CONFIG.sweeps[name], CONFIG.points[name]), paths)
    one, two = ((tmp_path / folder / f"{name}.pdf").read_bytes() for folder in ("one", "two"))
    assert one == two and one.startswith(b"%PDF")
    grey = np.asarray(Image.open(tmp_path / "one" / f"{name}.png").convert("L"))
    assert grey.shape[1] > 900 and grey.std() > 10


def test_numbers_stand_where_they_belong_and_categories_side_by_side(space):
    drawn = {}
    for name in ("epochs", "lr", "kinds"):
        table = sweep_table(CONFIG, name, space)
        axes = draw_sweep(table, CONFIG.sweeps[name], CONFIG.points[name]).axes[0]
        line = axes.lines[0]
        mean = table[(table["part"] == "grid") & (table["similarity"] == "mean")]
        assert line.get_ydata().tolist() == mean["t2v_r1"].tolist()
        drawn[name] = (list(line.get_xdata()), axes.get_xscale(), line.get_linestyle())
        plt.close(axes.figure)
    assert drawn == {
        "epochs": ([5, 10, 15], "linear", "-"),
        "lr": ([1e-5, 3e-4, 1e-2], "log", "-"),
        "kinds": ([0, 1], "linear", "None"),
    }
