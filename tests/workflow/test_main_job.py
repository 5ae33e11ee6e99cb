"""The main job on a few real clips, every family, down to the tables, figures and reruns.

One module, so that the tests that share a finished checkout run one after the other.
"""

import copy
import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from polymatch.data.splits import SplitReader
from polymatch.data.tables import read_table
from polymatch.evaluation import retrieval_metrics
from polymatch.models import load_model
from polymatch.settings.stages import DataSettings
from polymatch.surrogate import Teacher, distance_moments
from polymatch.training.scoring import encode

from .conftest import CONFIG

ALIGNMENT = ["saf", "sgr", "sgraf"]
SPACE = "results/few/efficientnet_minilm"
pytestmark = pytest.mark.xdist_group("finished")


@pytest.fixture
def edited(finished):
    """The finished checkout; a file changed with it is put back, bytes and times."""
    changed = {}

    class Editor:
        def write(self, name, text):
            path = finished.folder / name
            changed.setdefault(path, path.read_bytes())
            path.write_text(text)

        def config(self, **changes):
            config = copy.deepcopy(CONFIG)
            for path, value in changes.items():
                *parents, last = path.split("__")
                section = config
                for key in parents:
                    section = section.setdefault(key, {})
                section[last] = value
            self.write("config/config.yaml", json.dumps(config))

    yield Editor()
    for path, content in changed.items():
        path.write_bytes(content)


def test_summary_has_a_row_for_each_run_and_similarity(finished):
    summary = read_table(finished.folder / "results/summary.csv", "summary")
    rows = set(zip(summary["model"], summary["similarity"], summary["seed"], strict=True))
    expected = {("aligned", "cosine", 0)}
    expected |= {("pcme", kind, seed) for kind in ("mean", "mc", "closed") for seed in (0, 1)}
    teachers = ("fixed", "domain", "trained")
    expected |= {(f"poly_{t}", "poly", seed) for t in teachers for seed in (0, 1)}
    expected |= {("cross_modal", "pairwise", seed) for seed in (0, 1)}
    expected |= {("align", "cosine", seed) for seed in (0, 1)}
    expected |= {(name, name, seed) for name in ALIGNMENT for seed in (0, 1)}
    duals = (("dual", "hybrid"), ("dual", "latent"), ("dual_pruned", "hybrid"))
    expected |= {(name, kind, seed) for name, kind in duals for seed in (0, 1)}
    assert rows == expected
    assert (summary["t2v_r1_lo"] <= summary["t2v_r1"]).all()
    assert (summary["t2v_r1"] <= summary["t2v_r1_hi"]).all()
    poly = summary["family"].eq("probabilistic") & summary["similarity"].eq("poly")
    for column in ("outside_share", "max_error", "kendall_tau", "r1_changed"):
        assert summary[f"surrogate_{column}"].notna().tolist() == poly.tolist()
    plain = [
        "align",
        "cross_modal",
        "poly_fixed",
        "poly_trained",
        *ALIGNMENT,
        "dual",
        "dual_pruned",
    ]
    assert summary["deployable"].isna().tolist() == summary["model"].isin(plain).tolist()
    assert summary["latency_ms"].gt(0).all() and summary["memory_mb"].gt(0).all()
    assert summary.groupby("model")["config_hash"].nunique().to_dict() == {
        "align": 2,
        "aligned": 1,
        "cross_modal": 2,
        "pcme": 2,
        "poly_domain": 2,
        "poly_fixed": 2,
        "poly_trained": 2,
        **dict.fromkeys([*ALIGNMENT, "dual", "dual_pruned"], 2),
    }


def test_leaderboard_is_the_mean_of_the_summary_and_knows_the_baseline(finished):
    summary = read_table(finished.folder / "results/summary.csv", "summary")
    board = read_table(finished.folder / "results/leaderboard.csv", "leaderboard")
    assert board["rsum"].is_monotonic_decreasing
    for row in board.itertuples():
        seeds = summary[(summary["model"] == row.model) & (summary["similarity"] == row.similarity)]
        assert row.rsum == pytest.approx(seeds["rsum"].mean())
        assert row.seeds == len(seeds)
    baseline = board[board["model"] == "aligned"].iloc[0]
    assert baseline["vs_baseline"] == "itself" and baseline["rsum_vs_baseline"] == 0
    assert pd.isna(baseline["rsum_sd"])
    assert "vs baseline (p)" in finished.output  # printed at the end


def test_deployability_is_measured_for_each_model_and_similarity(finished):
    summary = read_table(finished.folder / "results/summary.csv", "summary")
    sampling = summary["similarity"] == "mc"
    assert not summary.loc[sampling, "deployable"].any()
    for folder, kind, runs in (("aligned/0", "cosine", 1), ("poly_domain/0", "poly", 2)):
        run = finished.folder / SPACE / "runs" / folder
        record = json.loads((run / f"{kind}.deployability.json").read_text())
        analog = read_table(run / f"{kind}.analog.csv", "analog")
        assert record["runs"] == runs and set(analog["runs"]) == {runs}
        assert analog["condition"].tolist() == [
            "digital",
            "adc_bits",
            "drift_seconds",
            "weight_noise",
        ]
        rows = summary[summary["model"] == folder.split("/")[0]]
        assert set(rows["deployable"]) == {record["deployable"]}
        assert record["onnx_relative_difference"] < 1e-4 and record["unknown_operators"] == ""
        assert len(read_table(run / f"{kind}.operators.csv", "operators"))
        assert sorted(path.name for path in (run / "onnx" / kind).iterdir()) == [
            "captions.onnx",
            "items.onnx",
            "scorer.onnx",
        ]


def test_metrics_are_those_of_the_saved_similarity(finished):
    run = finished.folder / SPACE / "runs/pcme/0"
    manifest = read_table(finished.folder / "results/few/manifest.parquet", "manifest")
    captions = read_table(finished.folder / "results/few/captions.parquet", "captions")
    test = manifest.loc[manifest["split"] == "test", "item_id"].tolist()
    names = captions[(captions["kind"] == "name") & captions["item_id"].isin(test)]
    texts = list(dict.fromkeys(names["text"]))
    positives = [tuple(names.loc[names["text"] == text, "item_id"]) for text in texts]
    similarity = np.load(run / "mean.npy")
    assert similarity.shape == (len(test), len(texts))
    recorded = json.loads((run / "mean.metrics.json").read_text())["metrics"]
    metrics = retrieval_metrics(similarity, test, positives)
    assert metrics == pytest.approx({name: recorded[name] for name in metrics})
    # What the configuration adds: `evaluation.metrics`, `asp`, `pmrp`, `folds`.
    added = {name for name in set(recorded) - set(metrics) if not name.startswith("fold_")}
    further = ["mrr", "asp", "pmrp", "pmrp_0", "pmrp_1", "pmrp_2"]
    assert added == {f"{direction}_{name}" for direction in ("t2v", "v2t") for name in further}


def test_a_runs_model_can_be_loaded_and_asked(finished):
    model = load_model(finished.folder / SPACE / "runs/poly_domain/1")
    import torch

    with torch.inference_mode():
        scores = model.similarity(
            model.encode_items(torch.randn(3, 8)), model.encode_captions(torch.randn(4, 8))
        )
    assert scores.shape == (3, 4) and scores.isfinite().all()


def test_features_have_the_documented_shapes_and_say_where_they_come_from(finished):
    folder = finished.folder / SPACE / "features"
    shapes = {"pooled": (1280,), "regions": (36, 1280), "frames": (1280,), "captions": (384,)}
    for name, shape in shapes.items():
        with h5py.File(folder / f"{name}.h5") as store:
            assert store["features"].shape[1:] == shape
            assert store.attrs["dataset"] == "few" and store.attrs["encoder"]
            assert ("offsets" in store) == (name == "frames")


def test_every_figure_is_there_in_every_format_with_its_data(finished):
    results = finished.folder / "results"
    schemas = {"teachers": "teacher_points"}
    for name in ("deployability", "gallery_growth", "r1_latency", "rulegraph"):
        schemas[name] = name
    schemas |= {"rank_histograms": "rank_histograms", "recall_curves": "recall_curves"}
    assert {path.stem for path in (results / "figures").glob("*.pdf")} == set(schemas)
    beside = {
        "runs/pcme/curves": "training_curves",
        "runs/pcme/0/mean.space": "space",
        "runs/pcme/0/mean.retrieved": "retrieved",
        "surrogates/poly_fixed.error_map": "error_map",
    }
    figures = {results / "figures" / name: schema for name, schema in schemas.items()}
    figures |= {finished.folder / SPACE / name: schema for name, schema in beside.items()}
    for path, schema in figures.items():
        of = {kind: path.with_name(f"{path.name}.{kind}") for kind in ("pdf", "svg", "png", "csv")}
        assert of["pdf"].read_bytes()[:4] == b"%PDF"
        assert b"<svg" in of["svg"].read_bytes() and of["svg"].stat().st_size < 2**21
        assert Image.open(of["png"]).size[0] > 400
        assert len(read_table(of["csv"], schema))


def test_every_run_has_its_curve_and_histogram_and_they_agree_with_its_metrics(finished):
    runs = finished.folder / SPACE / "runs"
    found = sorted(runs.rglob("*.metrics.json"))
    assert len(found) == 29
    for path in found:
        kind = path.name.split(".")[0]
        metrics = json.loads(path.read_text())
        curve = read_table(path.with_name(f"{kind}.recall_curve.csv"), "recall_curve")
        bins = read_table(path.with_name(f"{kind}.rank_histogram.csv"), "rank_histogram")
        for direction in ("t2v", "v2t"):
            own = curve[curve["direction"] == direction].set_index("k")
            shares = bins[bins["direction"] == direction].set_index("rank_to")["share"]
            for k in (1, 5, 10):
                name = f"{direction}_r{k}"
                assert own.loc[k, "recall"] == pytest.approx(metrics["metrics"][name])
                bounds = own.loc[k, ["recall_lo", "recall_hi"]].tolist()
                assert bounds == pytest.approx(metrics["intervals"][name])
                assert shares.loc[:k].sum() == pytest.approx(metrics["metrics"][name])


def test_the_rule_graph_is_snakemakes_and_takes_no_lock(finished):
    edges = read_table(finished.folder / "results/figures/rulegraph.csv", "rulegraph")
    pairs = set(zip(edges["rule"], edges["needs"], strict=True))
    assert {("score", "train"), ("compare", "summarise"), ("map_errors", "fit_surrogate")} <= pairs
    assert set(edges["rule"]) >= {"plot_all_ranks", "map_errors", "evaluate", "measure"}
    assert not list((finished.folder / ".snakemake/locks").glob("*"))


def test_a_setting_that_changes_the_graph_draws_it_again_and_a_number_does_not(finished, edited):
    edited.config(models__pcme__training__epochs=3)
    assert "plot_rules" not in finished.planned()
    edited.config(models__poly_fixed__teacher="domain")
    assert finished.planned()["plot_rules"] == 1


def test_the_leaderboard_is_there_for_people_and_papers(finished):
    board = read_table(finished.folder / "results/leaderboard.csv", "leaderboard")
    markdown = (finished.folder / "results/leaderboard.md").read_text()
    latex = (finished.folder / "results/leaderboard.tex").read_text()
    assert markdown.count("\n| ") == 1 + len(board) and "Retrieval on few" in markdown
    rows = latex.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    assert len(rows) == len(board) and all(row.endswith(r" \\") for row in rows)


def test_training_curves_are_there_of_every_trained_model(finished):
    curves = sorted((finished.folder / SPACE / "runs").rglob("curves.pdf"))
    polynomials = ["poly_domain", "poly_fixed", "poly_trained"]
    duals = ["dual", "dual_pruned"]
    trained = ["align", "cross_modal", *duals, "pcme", *polynomials, "saf", "sgr"]
    assert [path.parent.name for path in curves] == trained  # all seeds in one


def test_a_metric_of_the_configuration_is_in_both_tables(finished):
    summary = read_table(finished.folder / "results/summary.csv", "summary")
    board = read_table(finished.folder / "results/leaderboard.csv", "leaderboard")
    for metric in ("t2v_mrr", "v2t_mrr"):
        assert (summary[f"{metric}_lo"] <= summary[metric]).all()
        assert (summary[metric] <= summary[f"{metric}_hi"]).all()
        # A reciprocal rank is one at rank 1 and above none elsewhere.
        assert (summary[metric] > summary[metric.replace("mrr", "r1")]).all()
        pcme = board[(board["model"] == "pcme") & (board["similarity"] == "mc")].iloc[0]
        seeds = summary[(summary["model"] == "pcme") & (summary["similarity"] == "mc")]
        assert pcme[metric] == pytest.approx(seeds[metric].mean())


def test_pictures_are_there_for_the_models_named_on_their_first_seed(finished):
    runs = finished.folder / SPACE / "runs"
    for picture in ("space", "retrieved", "ranks_figure"):
        drawn = sorted(str(path.relative_to(runs)) for path in runs.rglob(f"*.{picture}.pdf"))
        assert drawn == [f"aligned/0/cosine.{picture}.pdf", f"pcme/0/mean.{picture}.pdf"]
        assert Image.open(runs / f"pcme/0/mean.{picture}.png").size[0] > 1000


def test_the_table_of_teachers_judges_each_source_and_estimator_on_every_trained_run(finished):
    table = read_table(finished.folder / "results/teachers.csv", "teachers")
    assert table.groupby("source")["estimator"].nunique().to_dict() == {
        "domain": 4,
        "fixed": 4,
        "pcme": 4,
    }
    assert (table["test_runs"] == 8).all() and (table["n_pairs"] == 500).all()
    exact = table[table["estimator"] == "exact"].set_index("source")
    assert (exact["logit_error_max"] == 0).all()
    # Heads trained for two epochs are still at log-variances near 0, which only `domain` reaches.
    assert exact.loc["domain", "test_outside_share"] < exact.loc["fixed", "test_outside_share"] == 1
    assert exact.loc["domain", "test_logit_error_max"] < exact.loc["fixed", "test_logit_error_max"]


def test_a_teacher_is_made_from_the_run_that_it_names(finished):
    teacher = Teacher.load(finished.folder / SPACE / "teachers/trained.parquet")
    assert teacher.metadata["source"] == "pcme" and len(teacher) == 2000
    splits = SplitReader.open(
        DataSettings(name="few", root="resources/few"),
        finished.folder / "results/few/manifest.parquet",
        finished.folder / "results/few/captions.parquet",
        finished.folder / SPACE / "embeddings/items.h5",
        finished.folder / SPACE / "embeddings/captions.h5",
    )
    train = splits.training_set("train", ["name"])
    found = {}
    for seed in (0, 1):
        sides = encode(load_model(finished.folder / SPACE / f"runs/pcme/{seed}"), train)
        ed, _ = distance_moments(*sides[0], *sides[1])
        nearest = np.abs(ed.numpy().ravel()[:, None] - teacher.ed).min(0)
        found[seed] = (nearest < 1e-7).mean()
    assert found[1] == 1 and found[0] < 0.5


def test_certificate_and_growth_hold_what_the_tables_do_not(finished):
    run = finished.folder / SPACE / "runs/poly_trained/0"
    certificate = json.loads((run / "certificate.json").read_text())
    assert certificate["t2v_queries"] == certificate["v2t_queries"] == 5
    assert -1 <= certificate["v2t_kendall_tau"] <= 1
    growth = read_table(run / "poly.growth.csv", "growth")
    assert growth["gallery"].tolist() == [20, 20, 200, 200]
    assert growth["queries"].tolist() == [1, 5, 1, 5]


def test_snakemakes_own_report_holds_tables_figures_and_curves(finished, tmp_path):
    report = tmp_path / "report.html"
    done = finished.run("--report", str(report))
    assert done.returncode == 0, done.stdout
    page = report.read_text()
    assert all(name in page for name in ("summary.csv", "r1_latency.pdf", "curves.pdf"))
    assert "mean.space.pdf" in page and "mean.retrieved.pdf" in page
    new = ("recall_curves", "rank_histograms", "rulegraph", "mean.ranks_figure", "error_map")
    assert all(f"{name}.pdf" in page for name in new)
    assert "leaderboard.md" in page and "leaderboard.tex" in page and "report.html" in page


def test_the_page_shows_every_row_of_the_leaderboard_and_needs_nothing_beside_it(finished):
    page = (finished.folder / "results/report.html").read_text()
    board = read_table(finished.folder / "results/leaderboard.csv", "leaderboard")
    contents = page.split('id="contents">')[1].split("</script>")[0]
    shown = json.loads(contents)
    assert len(shown["board"]["rows"]) == len(shown["rows"]) == len(board)
    assert shown["pictures"] and shown["spaces"] and shown["errors"] and shown["rulegraph"]
    assert len(page.encode()) < 5_000_000


def test_a_setting_of_the_page_writes_it_again_and_nothing_else(finished, edited):
    edited.config(report__queries=2)
    assert finished.planned() == {"report_page": 1}


def test_nothing_is_left_to_do_and_no_partial_file_is_left(finished):
    assert finished.planned() == {}
    assert not list((finished.folder / "results").rglob("*partial*"))


def test_a_models_parameter_reruns_its_jobs_and_the_tables_only(finished, edited):
    edited.config(models__poly_fixed__tau=0.2)
    assert finished.planned() == {
        "train": 2,
        "score": 2,
        "evaluate": 2,
        "certify": 2,
        "measure": 1,
        "plot_curves": 1,
        "plot_growth": 1,
        "plot_all_ranks": 1,
        "compare_teachers": 1,
        "plot_teachers": 1,
        "summarise": 1,
        "compare": 1,
        "plot_latency": 1,
        "report_page": 1,
    }


def test_a_models_parameter_reruns_the_models_that_learn_from_it(finished, edited):
    edited.config(models__pcme__tau=0.2)
    planned = finished.planned()
    assert planned["build_teacher"] == planned["fit_surrogate"] == 1
    assert planned["train"] == 4 and planned["score"] == 8 and planned["measure"] == 4
    assert planned["certify"] == 2


def test_a_teachers_setting_reruns_what_learns_from_it(finished, edited):
    edited.config(teachers__domain__K=4)
    planned = finished.planned()
    assert planned["build_teacher"] == planned["fit_surrogate"] == planned["measure"] == 1
    assert planned["deploy"] == 1
    assert planned["train"] == planned["score"] == planned["certify"] == 2


def test_a_library_module_reruns_the_stages_that_import_it(finished, edited):
    module = "workflow/polymatch/evaluation/significance.py"
    text = (finished.folder / module).read_text()
    edited.write(module, text + "\n_EDITED = True\n")
    assert finished.planned() == {"compare": 1, "plot_latency": 1, "report_page": 1}


def test_a_losss_module_reruns_the_models_that_are_trained_by_it(finished, edited):
    module = "workflow/polymatch/losses/projection/queue.py"
    text = (finished.folder / module).read_text()
    edited.write(module, text + "\n_EDITED = True\n")
    planned = finished.planned()
    assert planned["train"] == planned["score"] == 2 and planned["measure"] == 1


def test_the_aligned_space_is_not_what_projection_heads_start_from(finished, edited):
    edited.config(alignment__shrinkage=[2.0])
    planned = finished.planned()
    assert planned["align"] == 1
    assert planned["train"] == 9  # all but two models of two seeds


def test_checkpoints_of_the_best_and_of_the_last_epoch_are_there(finished):
    run = finished.folder / SPACE / "runs/align/1"
    best, last = load_model(run), load_model(run / "last")
    assert best.settings == last.settings
    history = read_table(run / "history.csv", "history")
    assert history["val_loss"].iloc[1:].notna().all() and "temperature" in history
    same = all(torch.equal(a, b) for a, b in zip(*map(weights, (best, last)), strict=True))
    assert same == bool(history["kept"].iloc[-1])
    assert not list((finished.folder / "results").rglob("resume.pt"))


def weights(model):
    return list(model.state_dict().values())


def test_a_metrics_module_reruns_what_is_computed_with_it(finished, edited):
    module = "workflow/polymatch/evaluation/measures/mrr.py"
    text = (finished.folder / module).read_text()
    edited.write(module, text + "\n_EDITED = True\n")
    planned = finished.planned()
    assert planned["evaluate"] == 29 and planned["compare"] == planned["summarise"] == 1
    assert not {"train", "score", "measure", "plot_space"} & set(planned)


def test_a_setting_of_the_pictures_draws_them_again_and_nothing_else(finished, edited):
    edited.config(pictures__queries=3)
    assert finished.planned() == {"plot_retrieved": 2}
    edited.config(pictures__perplexity=4.0)
    assert finished.planned() == {"plot_space": 2, "report_page": 1}


def test_a_comment_or_docstring_in_the_library_reruns_nothing(finished, edited):
    module = "workflow/polymatch/training/loop.py"
    text = (finished.folder / module).read_text()
    edited.write(module, text.replace('"""The one loop', '"""(The) one loop') + "\n# a comment\n")
    assert finished.planned() == {}


def test_a_script_reruns_its_rule(finished, edited):
    name = "workflow/scripts/plot_latency.py"
    text = (finished.folder / name).read_text()
    edited.write(name, text + "\nEDITED = True\n")
    assert finished.planned() == {"plot_latency": 1}


def test_a_caption_reruns_the_captions_side_but_no_picture(finished, edited):
    name = "resources/few/captions.csv"
    text = (finished.folder / name).read_text()
    edited.write(name, text.replace(",name,en\n", " again,name,en\n", 1))
    planned = finished.planned()
    assert planned["prepare"] == planned["extract_captions"] == planned["align"] == 1


def test_a_single_output_can_be_asked_for(finished):
    target = f"{SPACE}/runs/pcme/0/closed.metrics.json"
    (finished.folder / target).unlink()
    assert finished.planned(target) == {"evaluate": 1}
    done = finished.run(target)
    assert done.returncode == 0, done.stdout
    assert (finished.folder / target).exists()


def test_an_unknown_model_in_a_target_is_answered_with_the_known_ones(finished):
    done = finished.run("-n", f"{SPACE}/runs/pcm/0/mean.metrics.json")
    assert done.returncode != 0
    assert "unknown model 'pcm'; did you mean 'pcme'?" in done.stdout
