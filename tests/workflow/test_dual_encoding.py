"""The dual-encoding family as users run it: frames, words, tags, word vectors, pruning."""

import numpy as np
import pandas as pd
import pytest
import torch

from polymatch.data.features import FeatureStore
from polymatch.data.splits import SplitReader
from polymatch.models import load_model
from polymatch.settings.stages import DataSettings

from .conftest import CONFIG

pytestmark = pytest.mark.xdist_group("finished")
RUNS = "results/few/efficientnet_minilm/runs"
FRAMES = "results/few/efficientnet_minilm/features/frames.h5"


def test_an_epoch_has_its_losses_and_both_directions_of_val(finished):
    history = pd.read_csv(finished.folder / RUNS / "dual/0/history.csv")
    parts = ["hinge_latent", "hinge_concept", "tags_items", "tags_captions"]
    assert (history[parts][1:] > 0).all(axis=None)
    np.testing.assert_allclose(history[parts][1:].sum(axis=1), history["loss"][1:], rtol=1e-5)
    directions = history["val_t2v_rsum"] + history["val_v2t_rsum"]
    np.testing.assert_allclose(directions, history["val_rsum"])


def test_words_start_from_the_encoders_vectors(finished):
    vectors = FeatureStore(finished.folder / "results/few/word_vectors.h5").read()
    model = load_model(finished.folder / RUNS / "dual/0/last")
    learnt = model.captions.embedding.weight.detach().numpy()
    assert learnt.shape == vectors.shape and not learnt[0].any()
    # Two epochs take no word far from where it began.
    cosines = (learnt * vectors)[1:].sum(1) / np.linalg.norm(learnt[1:], axis=1)
    assert (cosines / np.linalg.norm(vectors[1:], axis=1)).min() > 0.9


def test_the_scores_are_those_of_the_trained_model_video_by_video(finished):
    data = finished.folder / "results/few"
    reader = SplitReader.open(
        DataSettings.model_validate(CONFIG["data"]),
        data / "manifest.parquet",
        data / "captions.parquet",
        finished.folder / FRAMES,
        data / "words.h5",
    )
    test = reader.retrieval_set("test", ["name"])
    run = finished.folder / RUNS / "dual/1"
    model = load_model(run)
    with torch.inference_mode():
        texts = model.encode_captions(torch.from_numpy(test.captions).long())
        alone = [
            model.similarity(model.encode_items(torch.from_numpy(test.items[row])), texts, "latent")
            for row in np.arange(len(test.items))[:, None]
        ]
    latent, hybrid = np.load(run / "latent.npy"), np.load(run / "hybrid.npy")
    np.testing.assert_allclose(latent, torch.cat(alone), atol=1e-6)
    assert hybrid.shape == latent.shape and hybrid.min() >= 0 and hybrid.max() <= 1


def test_what_is_pruned_stays_out_while_it_is_trained_and_its_file_is_smaller(finished):
    runs = finished.folder / RUNS
    whole, pruned = (load_model(runs / name / "0") for name in ("dual", "dual_pruned"))
    weights = [parameter for parameter in pruned.parameters() if parameter.ndim > 1]
    zeros = sum(int((parameter == 0).sum()) for parameter in weights)
    prunable = [
        parameter.numel()
        for modules in whole.prunable().values()
        for module in modules
        for name, parameter in module.named_parameters()
        if "weight" in name
    ]
    assert zeros >= round(0.3 * sum(prunable))
    summary = pd.read_csv(finished.folder / "results/summary.csv").set_index(["model", "seed"])
    assert summary.loc["dual_pruned", "stored_mb"].max() < summary.loc["dual", "stored_mb"].min()
    history = pd.read_csv(runs / "dual_pruned/0/history.csv")
    assert list(history["epoch"]) == [0, 1]
