"""Every head of the projection family through export, audit and simulation."""

from functools import cache

import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet
from polymatch.data.tables import check_table, load_schema
from polymatch.deployment.analog import deployable, simulate, simulated_record
from polymatch.deployment.audit import audit
from polymatch.deployment.export import check_export, export_onnx, onnx_similarity
from polymatch.deployment.graphs import model_graphs
from polymatch.models import build_model
from polymatch.settings.projection import ProjectionSettings
from polymatch.settings.stages import DeploymentSettings
from polymatch.training.scoring import score

ITEM, CAPTION, OUTPUT, HIDDEN = 12, 8, 10, 16
HEADS = {
    "mlp": {"hidden_dim": HIDDEN},
    "attention": {"num_heads": 4},
    "cross_modal": {"hidden_dim": HIDDEN, "num_heads": 4},
    "siglip": {},
    "clip": {},
    "align": {"hidden_dim": HIDDEN},
    "blip": {"hidden_dim": HIDDEN},
}
# An export takes seconds; one head's is enough for `make test`.
NAMES = ["mlp", *(pytest.param(name, marks=pytest.mark.long) for name in HEADS if name != "mlp")]


@cache
def build(name):
    """A head whose norms and running statistics are not those of the start."""
    torch.manual_seed(0)
    head = {"type": name, "output_dim": OUTPUT, **HEADS[name]}
    entry = {"family": "projection", "head": head, "loss": {"type": "softmax", "learnable": True}}
    model = build_model(ProjectionSettings.model_validate(entry), ITEM, CAPTION)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    model.encode_items(torch.randn(30, ITEM) + 1), model.encode_captions(torch.randn(30, CAPTION))
    return model.eval()


@cache
def graphs_of(name):
    model = build(name)
    return model_graphs(model, model.settings.scored_by[0])


def data(n=11, m=17, seed=0):
    random = np.random.default_rng(seed)
    names = np.arange(m) % n
    items = random.normal(size=(n, ITEM)).astype(np.float32)
    captions = random.normal(size=(m, CAPTION)).astype(np.float32)
    ids, texts = [str(i) for i in range(n)], [f"text {j}" for j in range(m)]
    return RetrievalSet(ids, items, texts, captions, [(str(i),) for i in names])


@pytest.mark.parametrize("name", NAMES)
def test_the_files_alone_give_the_models_scores_for_any_number_of_rows(name, tmp_path):
    model = build(name)
    kind = model.settings.scored_by[0]
    paths = export_onnx(graphs_of(name), tmp_path)
    for n, m in ((11, 17), (3, 2), (1, 1)):
        one = data(n, m)
        found = onnx_similarity(paths, one.items, one.captions)
        np.testing.assert_allclose(found, score(model, one, kind), atol=2e-6)
    assert check_export(paths, model, kind, data())["onnx_relative_difference"] < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_every_operator_is_known_and_nothing_is_drawn(name):
    result = audit(graphs_of(name), data())
    check_table(result.table, load_schema("operators"), "operators")
    assert result.record["unknown_operators"] == "" and result.record["unknown_total"] == 0
    assert not result.record["samples"] and result.record["activations_total"] == 0


def test_a_cosine_head_is_its_layers_and_one_product():
    record = audit(graphs_of("align"), data(11, 17)).record
    inner = HIDDEN * HIDDEN // 2 + HIDDEN // 2 * OUTPUT
    assert record["weights_per_query"] == CAPTION * HIDDEN + inner
    assert record["weights_values"] == (ITEM + CAPTION) * HIDDEN + 2 * inner
    assert (record["gallery_per_pair"], record["gallery_values"]) == (OUTPUT, 11 * OUTPUT)


def test_a_pairwise_score_is_eight_products_of_what_the_gallery_holds():
    record = audit(graphs_of("cross_modal"), data(11, 17)).record
    assert record["gallery_per_pair"] == 2 * HIDDEN + 6 * OUTPUT
    layers = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * OUTPUT  # attention's two, and one of each vector
    assert record["weights_per_query"] == CAPTION * HIDDEN + layers
    assert record["nonlinear_per_pair"] > 0 and record["softmax_total"] == 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["align", "attention", "cross_modal"])
def test_exact_arrays_with_fine_converters_keep_the_scores(name):
    """Simulated with 16 bits and weights as they are, everything that was right stays right."""
    model = build(name)
    settings = DeploymentSettings(
        weights="exact",
        adc_bits=[16],
        at_bits=16,
        dac_bits=16,
        programming_seeds=2,
        weight_noise=[0.0],
        drift_seconds=[25.0],
    )
    kind = model.settings.scored_by[0]
    test = data(23, 40, seed=1)
    record = simulated_record(simulate([model], kind, data(), test, settings), settings)
    for direction in ("t2v_r1", "v2t_r1"):
        assert record[f"simulated_{direction}"] == pytest.approx(record[f"digital_{direction}"])
    audited = audit(graphs_of(name), test).record
    assert deployable(record, audited, settings) == (record["digital_t2v_r1"] > 0)
