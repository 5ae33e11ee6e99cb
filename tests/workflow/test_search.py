"""Trained runs of every family are searched as they were scored."""

import shutil

import numpy as np
import pytest

from polymatch.data.features import FeatureStore
from polymatch.models.cca import Alignment
from polymatch.search.engine import SearchEngine
from polymatch.search.run import TrainedRun
from polymatch.settings.read import read_config

pytestmark = pytest.mark.xdist_group("finished")
SPACE = "results/few/efficientnet_minilm"


def test_the_maps_that_are_kept_make_the_embeddings(finished):
    space = finished.folder / SPACE
    maps = Alignment.load(space / "embeddings/alignment.safetensors")
    for name, source, embed in (
        ("items", "pooled", maps.items),
        ("captions", "captions", maps.captions),
    ):
        found, features = (
            FeatureStore(space / part).gather(FeatureStore(space / f"embeddings/{name}.h5").ids)
            for part in (f"embeddings/{name}.h5", f"features/{source}.h5")
        )
        np.testing.assert_allclose(embed(features), found, atol=1e-6)


def test_every_run_is_searched_as_it_was_scored(finished, tmp_path):
    config = read_config([finished.folder / "config/config.yaml"])
    results = tmp_path / "results"
    shutil.copytree(finished.folder / "results", results)  # what is kept goes beside the copy
    for run in config.runs():
        for kind in config.model_entry(run.model).scored_by:
            trained = TrainedRun.open(config, f"{run.model}/{run.seed}", results)
            scores = np.load(trained.folder / f"{kind}.npy")
            engine = SearchEngine.open(trained, kind=kind, device="cpu")
            ids, captions = engine.gallery.item_ids, engine.gallery.queries.caption_ids
            assert scores.shape == (len(ids), len(captions))
            for column in (0, len(captions) - 1):
                hits = engine.by_caption(captions[column], len(ids))
                found = [hit.score for hit in hits]
                expected = [scores[ids.index(hit.id), column] for hit in hits]
                scale = max(1, np.abs(scores).max())
                np.testing.assert_allclose(found, expected, atol=2e-6 * scale)
                np.testing.assert_allclose(
                    found, sorted(scores[:, column])[::-1], atol=2e-6 * scale
                )
