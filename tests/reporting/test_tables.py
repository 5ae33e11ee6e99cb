"""Tables from hand-made runs whose right answer is known; figures are looked at elsewhere."""

import json

import numpy as np
import pandas as pd
import pytest

from polymatch.data.tables import check_table, load_schema, read_table, write_table
from polymatch.errors import DataError
from polymatch.evaluation import (
    RetrievalRanks,
    bootstrap_intervals,
    judged_ranks,
    metrics_of,
    retrieval_ranks,
)
from polymatch.reporting.leaderboard import leaderboard
from polymatch.reporting.leaderboard_text import as_text
from polymatch.reporting.summary import (
    CERTIFICATE,
    SIMULATED,
    _config_hash,
    differing_settings,
    run_directory,
    summarise,
)
from polymatch.settings.config import Run, load_config

CONFIG = load_config(
    {
        "models": {
            "aligned": {"family": "aligned"},
            "good": {
                "family": "probabilistic",
                "loss": "sampled",
                "similarities": ["mean"],
                "tau": 0.5,
            },
            "bad": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean"]},
        },
        "evaluation": {"resamples": 100, "permutations": 500},
        "seeds": [3, 4],
    }
)
SIGNAL = {"aligned": 1.5, "good": 4.0, "bad": 0.0}


@pytest.fixture
def space(tmp_path):
    random = np.random.default_rng(0)
    ids = [str(i) for i in range(60)]
    for run in CONFIG.runs():
        folder = run_directory(tmp_path, run)
        folder.mkdir(parents=True)
        similarity = random.normal(size=(60, 60)) + SIGNAL[run.model] * np.eye(60)
        ranks = retrieval_ranks(similarity, ids, ids)
        kind = CONFIG.model_entry(run.model).scored_by[0]
        ranks.save(folder / f"{kind}.ranks.parquet")
        record = {"metrics": metrics_of(ranks), "n_items": 60, "n_captions": 60}
        record["intervals"] = bootstrap_intervals(ranks, resamples=100)
        (folder / f"{kind}.metrics.json").write_text(json.dumps(record))
        timed = ("latency", "latency_lo", "latency_hi", "encoding", "scoring", "single_query")
        cost = {f"{name}_ms": 1.0 + run.seed for name in timed}
        cost |= {"memory_mb": 5.0, "memory_added_mb": 1.0, "parameters": 7}
        cost |= {"nonzero_parameters": 6, "stored_mb": 0.25, "weights_mb": 0.5}
        (folder / f"{kind}.latency.json").write_text(json.dumps(cost))
        simulated = dict.fromkeys(SIMULATED, 0.995) | {"deployable": run.model == "good"}
        (folder / f"{kind}.deployability.json").write_text(json.dumps(simulated))
        pd.DataFrame({"epoch": [0, 1], "kept": [False, True], "seconds": [0.0, 2.5]}).to_csv(
            folder / "history.csv"
        )
    return tmp_path


@pytest.fixture
def board(space):
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    return leaderboard(CONFIG, space, summary)


def test_rows_of_other_queries_come_last_and_are_not_tested(space):
    # `good` is asked of the first 40 items only, and would be first otherwise.
    for seed in (3, 4):
        folder = run_directory(space, Run("good", seed))
        ids = [str(i) for i in range(40)]
        retrieval_ranks(np.eye(40), ids, ids).save(folder / "mean.ranks.parquet")
    board = leaderboard(CONFIG, space, summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "h")))
    assert board["model"].tolist() == ["aligned", "bad", "good"]
    assert board["vs_baseline"].tolist() == ["itself", "worse", "other queries"]
    assert board["vs_best"].tolist() == ["itself", "worse", "other queries"]
    last = board.iloc[2]
    assert last[["rsum_vs_baseline", "p_vs_baseline", "p_vs_best"]].isna().all()
    check_table(board, load_schema("leaderboard"), "board")
    assert "other queries |" in as_text(board, markdown=True)
    # p-values are corrected over the rows that are tested: one beside the baseline.
    assert board.iloc[1]["p_vs_baseline"] == pytest.approx(1 / 501)


def test_every_row_names_its_protocol(space):
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    assert set(summary["protocol"]) == {"own split, all captions"}
    assert set(leaderboard(CONFIG, space, summary)["protocol"]) == {"own split, all captions"}


def test_a_planted_difference_is_called_by_its_name(board):
    assert board["model"].tolist() == ["good", "aligned", "bad"]
    assert board["vs_baseline"].tolist() == ["better", "itself", "worse"]
    assert board["vs_best"].tolist() == ["itself", "worse", "worse"]
    good = board.iloc[0]
    assert 0 < good["rsum_vs_baseline_lo"] < good["rsum_vs_baseline"] < good["rsum_vs_baseline_hi"]
    assert (board["rsum_lo"] < board["rsum"]).all() and (board["rsum"] < board["rsum_hi"]).all()


def test_the_same_scores_are_no_difference(space):
    for seed in CONFIG.seeds:
        for name in ("mean.ranks.parquet", "mean.metrics.json"):
            source = space / "runs/good" / str(seed) / name
            (space / "runs/bad" / str(seed) / name).write_bytes(source.read_bytes())
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    board = leaderboard(CONFIG, space, summary).set_index("model")
    assert set(board.loc[["good", "bad"], "vs_best"]) == {"itself", "no significant difference"}


def test_latency_of_every_seed_is_that_of_the_first(space):
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    assert summary.loc[summary["model"] == "good", "latency_ms"].tolist() == [4.0, 4.0]


def test_recalls_at_more_k_are_columns_of_the_summary_too(space, tmp_path):
    for path in (space / "runs").glob("*/*/*.metrics.json"):
        kind = path.name.removesuffix(".metrics.json")
        ranks = RetrievalRanks.load(path.with_name(f"{kind}.ranks.parquet"))
        more = {"metrics": metrics_of(ranks, (1, 5, 10, 50))}
        more["intervals"] = bootstrap_intervals(ranks, (1, 5, 10, 50), resamples=100)
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    write_table(summary, tmp_path / "summary.csv", "summary")
    back = read_table(tmp_path / "summary.csv", "summary")
    assert back["t2v_r50"].iloc[-1] > back["t2v_r10"].iloc[-1]
    assert back["v2t_r50_hi"].tolist() == summary["v2t_r50_hi"].tolist()
    with pytest.raises(DataError, match=r"column 't2v_r0' is unknown"):
        write_table(summary.assign(t2v_r0=0.0), tmp_path / "summary.csv", "summary")


def test_a_metric_that_is_added_by_name_is_in_both_tables(space, tmp_path):
    config = CONFIG.model_copy(
        update={"evaluation": CONFIG.evaluation.model_copy(update={"metrics": ["mrr"]})}
    )
    for path in (space / "runs").glob("*/*/*.metrics.json"):
        kind = path.name.removesuffix(".metrics.json")
        ranks = RetrievalRanks.load(path.with_name(f"{kind}.ranks.parquet"))
        more = {"metrics": metrics_of(ranks, measures=["mrr"])}
        more["intervals"] = bootstrap_intervals(ranks, resamples=100, measures=["mrr"])
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    summary = summarise(config, space, dict.fromkeys(CONFIG.models, "hash"))
    write_table(summary, tmp_path / "summary.csv", "summary")
    write_table(leaderboard(config, space, summary), tmp_path / "board.csv", "leaderboard")
    summary = read_table(tmp_path / "summary.csv", "summary")
    board = read_table(tmp_path / "board.csv", "leaderboard").set_index("model")
    for metric in ("t2v_mrr", "v2t_mrr"):
        good, row = summary.loc[summary["model"] == "good", metric], board.loc["good"]
        assert row[metric] == pytest.approx(good.mean())
        assert row[f"{metric}_sd"] == pytest.approx(good.std())
        assert row[f"{metric}_lo"] < row[metric] < row[f"{metric}_hi"]
        assert pd.isna(board.loc["aligned", f"{metric}_sd"])


def test_figures_kept_with_the_ranks_and_folds_are_in_both_tables(space, tmp_path):
    ids = [str(i) for i in range(60)]
    for path in (space / "runs").glob("*/*/*.metrics.json"):
        kind = path.name.removesuffix(".metrics.json")
        random = np.random.default_rng(len(str(path)))
        scores, codes = random.normal(size=(60, 60)), random.integers(0, 2, (60, 4))
        ranks = judged_ranks(scores, ids, ids, semantic=np.eye(60), category_codes=codes, folds=4)
        ranks = ranks.with_further({"t2v_cxc_r1": np.arange(60.0), "v2t_cxc_r1": np.arange(60.0)})
        ranks.save(path.with_name(f"{kind}.ranks.parquet"))
        more = {"metrics": metrics_of(ranks), "intervals": bootstrap_intervals(ranks, resamples=99)}
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    write_table(summary, tmp_path / "summary.csv", "summary")
    write_table(leaderboard(CONFIG, space, summary), tmp_path / "board.csv", "leaderboard")
    summary = read_table(tmp_path / "summary.csv", "summary")
    board = read_table(tmp_path / "board.csv", "leaderboard").set_index("model")
    for metric in ("t2v_asp", "v2t_pmrp_1", "t2v_cxc_r1", "fold_v2t_asp", "fold_rsum"):
        good, row = summary.loc[summary["model"] == "good"], board.loc["good"]
        assert row[metric] == pytest.approx(good[metric].mean())
        assert row[f"{metric}_lo"] < row[metric] < row[f"{metric}_hi"]
        assert row[f"{metric}_sd"] == pytest.approx(good[metric].std())
    with pytest.raises(DataError, match=r"column 't2v_asp', row 1: 101\.0 is above the maximum of"):
        write_table(summary.assign(t2v_asp=101.0), tmp_path / "summary.csv", "summary")


def test_the_verdict_of_the_simulation_is_in_both_tables(space, board):
    summary = summarise(CONFIG, space, dict.fromkeys(CONFIG.models, "hash"))
    assert summary.groupby("model")["deployable"].all().to_dict() == {
        "aligned": False,
        "bad": False,
        "good": True,
    }
    assert board.set_index("model")["deployable"].to_dict()["good"]
    check_table(board, load_schema("leaderboard"), "leaderboard")
    assert "yes (100%)" in as_text(board) and "no (100%)" in as_text(board)


def test_settings_name_only_what_differs_within_a_family():
    assert differing_settings(CONFIG) == {"aligned": "", "good": "tau=0.5", "bad": "tau=0.07"}


def test_a_section_that_only_one_model_has_is_named_for_it():
    poly = {"family": "probabilistic", "loss": "poly", "similarities": ["poly"], "teacher": "t"}
    config = load_config(
        {
            "teachers": {"t": {"source": "domain"}},
            "models": {"plain": poly, "fresh": {**poly, "refresh": {"every": 3}}},
            "baseline": "plain",
        }
    )
    texts = differing_settings(config)
    assert texts["plain"] == ""
    assert "refresh.every=3" in texts["fresh"] and "tau" not in texts["fresh"]


def test_the_config_hash_of_a_run_sees_the_model_that_its_teacher_is_made_from():
    def hashes(tau):
        sampled = {"family": "probabilistic", "loss": "sampled", "similarities": ["mean"]}
        poly = {"family": "probabilistic", "loss": "poly", "similarities": ["poly"]}
        config = load_config(
            {
                "teachers": {
                    "domain": {"source": "domain"},
                    "trained": {"source": "pcme", "model": "pcme"},
                },
                "models": {
                    "aligned": {"family": "aligned"},
                    "pcme": {**sampled, "tau": tau},
                    "on_domain": {**poly, "teacher": "domain"},
                    "on_trained": {**poly, "teacher": "trained"},
                },
            }
        )
        return {name: _config_hash(config, Run(name, 1)) for name in config.models}

    one, other = hashes(0.1), hashes(0.2)
    assert {name for name in one if one[name] != other[name]} == {"pcme", "on_trained"}


def test_figures_of_a_certificate_reach_the_summary(space):
    config = load_config(
        {
            "teachers": {"domain": {"source": "domain"}},
            "models": {
                "aligned": {"family": "aligned"},
                "good": {
                    "family": "probabilistic",
                    "loss": "sampled",
                    "similarities": ["mean", "poly"],
                    "teacher": "domain",
                },
            },
            "seeds": [3],
        }
    )
    folder = run_directory(space, Run("good", 3))
    for name in ("metrics", "latency", "deployability"):
        (folder / f"poly.{name}.json").write_bytes((folder / f"mean.{name}.json").read_bytes())
    figures = {name: 0.25 + 0.01 * number for number, name in enumerate(CERTIFICATE)}
    (folder / "certificate.json").write_text(json.dumps(figures))
    summary = summarise(config, space, dict.fromkeys(config.models, "hash"))
    row = summary[summary["similarity"] == "poly"].iloc[0]
    assert row["surrogate_kendall_tau"] == figures["t2v_kendall_tau"]
    assert row["surrogate_r1_changed"] == figures["t2v_r1_changed"]
    assert row["encoding_ms"] == row["scoring_ms"] == 4.0
    baseline = summary[summary["model"] == "aligned"].iloc[0]
    assert pd.isna(baseline["surrogate_kendall_tau"])
