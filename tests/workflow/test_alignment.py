"""The alignment family as users run it: regions, words, an ensemble, and several processes."""

import json

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polymatch.data.words import WordStore
from polymatch.models import load_model

from .conftest import CONFIG

pytestmark = pytest.mark.xdist_group("finished")
RUNS = "results/few/efficientnet_minilm/runs"


def metrics(checkout, model, seed=0):
    path = checkout.folder / RUNS / model / str(seed) / f"{model}.metrics.json"
    return json.loads(path.read_text())["metrics"]


def test_the_ensemble_is_the_mean_of_its_members(finished):
    for seed in CONFIG["seeds"]:
        saf, sgr, both = (
            np.load(finished.folder / RUNS / name / str(seed) / f"{name}.npy")
            for name in ("saf", "sgr", "sgraf")
        )
        np.testing.assert_allclose(both, (saf + sgr) / 2, atol=1e-6)
    history = pd.read_csv(finished.folder / RUNS / "sgraf/0/history.csv")
    assert list(history["epoch"]) == [0]


def test_its_checkpoint_stands_by_itself(finished, tmp_path):
    run = finished.folder / RUNS / "sgraf/0"
    for name in ("settings.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    model = load_model(tmp_path)
    assert [part.settings.module for part in model.parts] == ["saf", "sgr"]


def test_losses_and_rates_are_in_the_history(finished):
    history = pd.read_csv(finished.folder / RUNS / "saf/0/history.csv")
    parts = history[["hinge", "daa_v2t", "daa_t2v", "smooth_ap"]][1:]
    np.testing.assert_allclose(parts.sum(axis=1), history["loss"][1:], rtol=1e-5)
    assert history["lr"][2] == pytest.approx(0.1 * history["lr"][1])


def test_events_are_beside_the_history(finished):
    run = finished.folder / RUNS / "saf/0"
    found = EventAccumulator(str(run / "tensorboard")).Reload()
    history = pd.read_csv(run / "history.csv")
    written = [event.value for event in found.Scalars("epoch/val_rsum")]
    np.testing.assert_allclose(written, history["val_rsum"][1:], rtol=1e-6)


def test_semantic_figures_and_folds_stand_in_the_tables(finished):
    found = metrics(finished, "saf")
    wanted = {"v2t_asp", "t2v_asp", "v2t_pmrp", "t2v_pmrp_2", "fold_rsum", "fold_t2v_asp"}
    assert wanted <= set(found)
    summary = pd.read_csv(finished.folder / "results/summary.csv")
    row = summary[(summary["model"] == "saf") & (summary["seed"] == 0)].iloc[0]
    for name in wanted:
        assert row[name] == pytest.approx(found[name])
        assert row[f"{name}_lo"] <= row[name] + 1e-9 and row[name] <= row[f"{name}_hi"] + 1e-9
    # A gallery of half the size is easier.
    assert (summary["fold_t2v_meanr"] < summary["t2v_meanr"]).all()


def test_words_are_those_of_the_captions(finished):
    store = WordStore(finished.folder / "results/few/words.h5")
    captions = pd.read_parquet(finished.folder / "results/few/captions.parquet")
    assert set(store.ids) == set(captions.loc[captions["kind"] == "name", "caption_id"])
    vocabulary = json.loads((finished.folder / "results/few/vocabulary.json").read_text())
    assert store.vocabulary_size == vocabulary["idx"] == len(vocabulary["word2idx"])


@pytest.mark.long
def test_processes_share_a_training_to_the_same_result(fresh, finished):
    """With dropout: random numbers are those of the whole batch, whoever scores which pairs."""
    entry = CONFIG["models"]["{module}"]
    shared = entry | {"training": entry["training"] | {"processes": 2}}
    fresh.write_config(CONFIG | {"models": CONFIG["models"] | {"{module}": shared}})
    runs = [f"{RUNS}/{name}/0" for name in ("saf", "sgr")]
    done = fresh.run(*(f"{run}/model.safetensors" for run in runs))
    assert done.returncode == 0, done.stdout[-4000:]
    for run in runs:
        # Gradients are compared in tests/test_distributed.py; here, what training makes of them.
        ours, alone = (
            pd.read_csv(checkout.folder / run / "history.csv") for checkout in (fresh, finished)
        )
        for column in ("loss", "val_loss"):
            np.testing.assert_allclose(ours[column][1:], alone[column][1:], rtol=1e-3)
        assert ours["loss"][2] < ours["loss"][1]
