import json

import numpy as np
import onnx
import pytest
import torch

from polymatch.deployment.export import check_export, export_onnx, onnx_similarity
from polymatch.deployment.graphs import model_graphs
from polymatch.errors import ConfigError, DataError, NumericsError
from polymatch.models import RetrievalModel, build_model
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.families import parse_model
from polymatch.surrogate import PolynomialSurrogate
from polymatch.training.scoring import score

from .conftest import KINDS, WIDTH


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_alone_give_the_models_scores_for_any_number_of_rows(build, data, tmp_path, kind):
    model = build(kind)
    paths = export_onnx(model_graphs(model, kind), tmp_path)
    assert [path.name for path in paths.values()] == ["items.onnx", "captions.onnx", "scorer.onnx"]
    for n, m in ((11, 17), (3, 2), (1, 1)):
        one = data(n, m)
        found = onnx_similarity(paths, one.items, one.captions)
        np.testing.assert_allclose(found, score(model, one, kind), atol=2e-6)
    record = check_export(paths, model, kind, data())
    assert 0 <= record["onnx_relative_difference"] < 1e-5
    assert record["onnx_bytes"] == sum(path.stat().st_size for path in paths.values())


def test_pairs_that_are_scored_by_length_are_no_graph():
    entry = {"family": "alignment", "module": "saf", "embed_dim": 4, "sim_dim": 4, "word_dim": 4}
    model = build_model(parse_model(json.dumps(entry)), (3, 5), 10)
    with pytest.raises(
        ConfigError, match="family alignment: it starts from words and regions, whose number"
    ):
        model_graphs(model, "saf")


def test_inputs_and_outputs_have_the_names_that_people_look_for(build, tmp_path):
    paths = export_onnx(model_graphs(build("mean"), "mean"), tmp_path)
    graphs = {stage: onnx.load(path).graph for stage, path in paths.items()}
    names = {
        stage: ([i.name for i in graph.input], [o.name for o in graph.output])
        for stage, graph in graphs.items()
    }
    assert names["items"] == names["captions"] == (["embedding"], ["mu", "logvar"])
    inputs = ["item_mu", "item_logvar", "caption_mu", "caption_logvar"]
    assert names["scorer"] == (inputs, ["similarity"])


def test_a_steep_polynomial_keeps_its_small_coefficients(build, data, tmp_path):
    """The exporter's optimiser takes an addition of 1e-9 for one of 0, and constants to float32."""
    model = build("poly")
    values = model.surrogate.to_dict()
    tiny = np.zeros(9)
    tiny[[0, 1, 4]] = (-1.0, 1e-9, 0.1234567890123)
    model.surrogate = PolynomialSurrogate.from_dict(
        values | {"coefficients": tiny.tolist(), "scale": [0.1, 1e-9], "centre": [0.3, 0.0]}
    )
    paths = export_onnx(model_graphs(model, "poly"), tmp_path)
    assert check_export(paths, model, "poly", data())["onnx_relative_difference"] < 1e-5


def test_another_models_files_are_refused(build, data, tmp_path):
    paths = export_onnx(model_graphs(build("mean"), "mean"), tmp_path)
    with pytest.raises(NumericsError, match=r"scorer\.onnx: a score differs by .* allowed is"):
        check_export(paths, build("mean", hidden=8), "mean", data())


def test_a_missing_or_broken_file_is_named(build, data, tmp_path):
    model = build("cosine")
    paths = export_onnx(model_graphs(model, "cosine"), tmp_path)
    paths["captions"].write_bytes(b"not a graph")
    with pytest.raises(DataError, match=r"captions\.onnx: not a usable ONNX file"):
        check_export(paths, model, "cosine", data())
    paths["items"].unlink()
    with pytest.raises(DataError, match=r"items\.onnx: not a usable ONNX file"):
        check_export(paths, model, "cosine", data())


def test_a_similarity_that_the_model_has_not_is_refused(build):
    with pytest.raises(ConfigError, match="unknown similarity 'mc' of family probabilistic; allow"):
        model_graphs(build("mean"), "mc")


def test_a_call_that_looks_at_its_data_is_refused():
    class Model(RetrievalModel):
        def encode_items(self, features):
            return features if float(features.sum()) > 0 else -features

        def encode_captions(self, features):
            return features

        def similarity(self, items, captions, kind=None):
            return items @ captions.T

    model = Model(AlignedSettings(family="aligned"), WIDTH, WIDTH)
    with pytest.raises(ConfigError, match="the items call cannot become a graph"):
        model_graphs(model, "cosine")


def test_draws_are_seen_whatever_the_model_says(build):
    """A model that samples without saying so, with another generator than torch's own."""

    class Model(RetrievalModel):
        encode_items = encode_captions = staticmethod(lambda features: features)

        def similarity(self, items, captions, kind=None):
            generator = torch.Generator().manual_seed(3)
            noise = torch.randn(items.shape[1], generator=generator)
            return (items + noise) @ captions.T

    graphs = model_graphs(Model(AlignedSettings(family="aligned"), WIDTH, WIDTH), "cosine")
    assert (graphs.draws, graphs.declared, graphs.samples) == (WIDTH, False, True)
    assert model_graphs(build("mc"), "mc").declared
    assert not model_graphs(build("mean"), "mean").samples
