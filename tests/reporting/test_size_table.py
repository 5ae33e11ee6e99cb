"""Tables and figures of sizes from hand-made runs whose right answer is known."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from polymatch.data.tables import read_table, write_table
from polymatch.evaluation import RetrievalRanks, metrics_of, paired_test, retrieval_ranks
from polymatch.reporting.figures import save_figure
from polymatch.reporting.size_figure import table_figure
from polymatch.reporting.size_table import as_markdown, size_table
from polymatch.reporting.summary import run_directory
from polymatch.reporting.sweep_figures import draw_sweep
from polymatch.reporting.sweeps import sweep_table
from polymatch.settings.config import load_config

RATES = [0.2, 0.5, 0.8]
CONFIG = load_config(
    {
        "models": {
            "aligned": {"family": "aligned"},
            "de": {"family": "dual_encoding", "similarities": ["hybrid", "latent"]},
            "de_pruned": {"family": "pruned", "of": "de"},
        },
        "seeds": [3, 4],
        "evaluation": {"resamples": 100, "permutations": 500},
        "tables": {
            "t": {
                "reference": "DE",
                "rows": {
                    "A": {"model": "de", "change": {"alpha": 0.7}, "about": "another alpha"},
                    "DE": {"model": "de"},
                    "D": {"model": "A", "pruned": {"rate": 0.3}, "about": "pruned"},
                },
            }
        },
        "sweeps": {
            "rates": {"model": "de_pruned", "grid": {"rate": RATES}, "beside": ["de"]},
            "methods": {
                "model": "de_pruned",
                "grid": {"rate": RATES, "method": ["weights", "units"]},
                "beside": ["de"],
            },
        },
    }
)
PATHS = ("png", "pdf")


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Runs whose size falls with the rate, and their R-sum with it; the row A is far better."""
    root = tmp_path_factory.mktemp("space")
    random = np.random.default_rng(0)
    ids = [str(i) for i in range(60)]
    for name, entry in CONFIG.entries.items():
        rate = getattr(entry, "rate", 0.0)
        for run in CONFIG.runs_of(name):
            folder = run_directory(root, run)
            folder.mkdir(parents=True)
            for kind in entry.scored_by:
                signal = 4.0 if name == "t.A" else 2.0 * (1 - rate)
                scores = random.normal(size=(60, 60)) + signal * np.eye(60)
                retrieval_ranks(scores, ids, ids).save(folder / f"{kind}.ranks.parquet")
                cost = {"latency_ms": 1.0 + run.seed, "memory_mb": 5.0, "parameters": 100}
                cost |= {"stored_mb": 8.0 * (1 - rate), "weights_mb": 8.0}
                cost |= {"nonzero_parameters": round(100 * (1 - rate))}
                (folder / f"{kind}.latency.json").write_text(json.dumps(cost))
            figures = dict.fromkeys(("val_rsum", "val_r1", "val_t2v_r1", "val_v2t_r1"), 50.0 - rate)
            pd.DataFrame([{"epoch": 0, **figures, "kept": True}]).to_csv(folder / "history.csv")
    return root


@pytest.fixture(scope="module")
def table(space):
    return size_table(CONFIG, "t", space)


def test_rows_keep_their_order_and_sizes_are_shares_of_the_references(table):
    assert table["label"].tolist() == ["A", "DE", "D"]
    assert table["model"].tolist() == ["t.A", "de", "t.D"]
    assert table["size_ratio"].tolist() == pytest.approx([1.0, 1.0, 0.7])
    assert table["nonzero_parameters"].tolist() == [100, 100, 70]
    assert table["latency_ms"].tolist() == [4.0] * 3  # of the first seed


def test_figures_are_means_over_seeds_and_tested_against_the_reference(table, space):
    ranks = {}
    for row in table.to_dict("records"):
        folders = [run_directory(space, run) for run in CONFIG.runs_of(row["model"])]
        ranks[row["label"]] = [RetrievalRanks.load(f / "hybrid.ranks.parquet") for f in folders]
        metrics = [metrics_of(each) for each in ranks[row["label"]]]
        for metric in ("v2t_r1", "v2t_meanr", "t2v_r10", "rsum"):
            assert row[metric] == pytest.approx(np.mean([each[metric] for each in metrics]))
        for way in ("v2t", "t2v"):
            recalls = [sum(each[f"{way}_r{k}"] for k in (1, 5, 10)) for each in metrics]
            assert row[f"{way}_rsum"] == pytest.approx(np.mean(recalls))
        assert row["rsum_lo"] < row["rsum"] < row["rsum_hi"]
    settings = CONFIG.evaluation
    test = paired_test(
        ranks["A"], ranks["DE"], metric="rsum", resamples=500, seed=settings.seed
    )  # the one of two that is significant: Holm's correction doubles it
    assert table["rsum_vs_reference"].iloc[0] == pytest.approx(test.difference)
    assert table["p_vs_reference"].iloc[0] == pytest.approx(2 * test.p_value)
    assert table["reference"].tolist() == [False, True, False]
    assert table["p_vs_reference"].iloc[1] == 1.0


def test_the_table_holds_to_its_schema_and_is_shown_to_people(table, tmp_path):
    write_table(table, tmp_path / "t.csv", "size_table")
    back = read_table(tmp_path / "t.csv", "size_table")
    assert back["size_ratio"].tolist() == pytest.approx(table["size_ratio"].tolist())
    lines = as_markdown(back).splitlines()
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| row | what it is | size ratio | stored (MB) | weights not zero |")
    assert "| reference |" in lines[3] and lines[4].startswith("| D | pruned | 0.70 | 5.60 | 70 |")


def test_its_figure_has_a_point_a_row_and_the_same_bytes_again(table, tmp_path):
    for name in ("one", "two"):
        save_figure(table_figure(table), [tmp_path / f"{name}.{suffix}" for suffix in PATHS])
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    assert np.asarray(Image.open(tmp_path / "one.png").convert("L")).std() > 10


@pytest.mark.parametrize("name", ["rates", "methods"])
def test_a_sweep_over_rates_is_drawn_over_what_is_stored(space, tmp_path, name):
    write_table(sweep_table(CONFIG, name, space), tmp_path / "sweep.csv", "sweep")
    table = read_table(tmp_path / "sweep.csv", "sweep")
    axes = draw_sweep(table, CONFIG.sweeps[name], CONFIG.points[name]).axes[0]
    assert axes.get_xlabel() == "size of the stored weights (MB)"
    lines = [line for line in axes.lines if len(line.get_xdata()) == len(RATES)]
    assert len([line for line in lines if line.get_marker() not in "_|"]) >= len(
        CONFIG.sweeps[name].grid.get("method", [1])
    )
    first = table[table["part"].eq("grid")]
    first = first[first["method"] == "weights"] if "method" in first else first
    assert sorted(lines[0].get_xdata()) == pytest.approx(sorted(8.0 * (1 - r) for r in RATES))
    assert list(lines[0].get_ydata()) == first["rsum"].tolist()
    assert {text.get_text() for text in axes.texts} == {"0.2", "0.5", "0.8"}
    # What was pruned, by the similarity of the grid: a star, with lines through it.
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [list(star.get_xdata()) for star in stars] == [[8.0]]
    plt.close(axes.figure)
    paths = [tmp_path / f"{name}.{suffix}" for suffix in PATHS]
    save_figure(draw_sweep(table, CONFIG.sweeps[name], CONFIG.points[name]), paths)
    assert all(path.stat().st_size > 5000 for path in paths)
