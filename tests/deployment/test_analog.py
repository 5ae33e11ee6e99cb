import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap

from polymatch.data.tables import check_table, load_schema
from polymatch.deployment.analog import deployable, simulate, simulated_record, t_interval
from polymatch.deployment.chip import Chip, NoisyWeights
from polymatch.deployment.graphs import model_graphs
from polymatch.errors import ConfigError, DataError
from polymatch.evaluation import retrieval_metrics
from polymatch.models import RetrievalModel
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.stages import DeploymentSettings
from polymatch.training.scoring import score

from .conftest import KINDS, WIDTH

SETTINGS = DeploymentSettings(
    adc_bits=[2, 8], weight_noise=[0.0, 0.5], drift_seconds=[25.0, 3e7], programming_seeds=3
)
EXACT = NoisyWeights.programmer(0.0)


def simulated(model, kind, data, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return simulate([model], kind, data(11, 17, seed=1), data(40, 60), settings)


def at(table, condition, value=None):
    rows = table[table["condition"] == condition]
    return rows.iloc[0] if value is None else rows[rows["value"] == value].iloc[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gallery", [True, False])
def test_fine_converters_and_exact_weights_give_the_digital_scores(build, data, kind, gallery):
    model, test = build(kind), data(9, 14)
    chip = Chip(model, model_graphs(model, kind), data(seed=1), gallery, 16, [16])
    seed = np.random.SeedSequence(0)
    stored = chip.program(EXACT, seed)
    (found,) = chip.scores(stored, EXACT, test, [(16, 0.0)], seed)
    expected = score(model, test, kind)
    spread = np.ptp(expected)
    # Test outputs may lie outside the range chosen on val, where they are clipped.
    assert np.median(np.abs(found - expected)) < 2e-3 * spread
    # Samples lie further out than means, so that more of their products are.
    least = 0.9 if kind == "match" else 0.99
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > least


def test_the_table_has_every_point_and_says_digital_figures_as_they_are(build, data):
    model = build("mean")
    table = simulated(model, "mean", data)
    check_table(table.assign(model="m", similarity="mean"), load_schema("analog"), "analog")
    points = list(zip(table["condition"], table["value"], strict=True))[1:]
    expected = [("adc_bits", 2), ("adc_bits", 8), ("drift_seconds", 25), ("drift_seconds", 3e7)]
    assert points == [*expected, ("weight_noise", 0), ("weight_noise", 0.5)]
    test = data(40, 60)
    metrics = retrieval_metrics(score(model, test, "mean"), test.item_ids, test.positives)
    assert at(table, "digital")["simulated_t2v_r1"] == pytest.approx(metrics["t2v_r1"])
    assert at(table, "digital")["simulated_r1_retained"] == 1.0
    for name in ("t2v_r1", "v2t_r1", "r1_retained"):
        middle = table[f"simulated_{name}"]
        assert (table[f"simulated_{name}_lo"] <= middle).all()
        assert (middle <= table[f"simulated_{name}_hi"]).all()


def test_few_bits_and_much_noise_cost_recall(build, data):
    table = simulated(build("mean"), "mean", data)
    assert (
        at(table, "adc_bits", 2)["simulated_t2v_r1"] < at(table, "adc_bits", 8)["simulated_t2v_r1"]
    )
    quiet, loud = (at(table, "weight_noise", value) for value in (0.0, 0.5))
    assert loud["simulated_t2v_r1"] < quiet["simulated_t2v_r1"]
    assert quiet["simulated_t2v_r1_lo"] == quiet["simulated_t2v_r1_hi"]  # nothing is random
    assert loud["simulated_t2v_r1_lo"] < loud["simulated_t2v_r1_hi"]


def test_it_is_the_same_again_and_another_seed_is_another_chip(build, data):
    one, same, other = (
        simulated(build("poly"), "poly", data, seed=seed, weight_noise=[0.2]) for seed in (0, 0, 9)
    )
    pd.testing.assert_frame_equal(one, same)
    assert not one["simulated_t2v_r1"].equals(other["simulated_t2v_r1"])


def test_a_digital_gallery_leaves_an_untrained_model_as_it_is(build, data):
    """Cosine in the encoders' own space has no layer: without its gallery nothing is analog."""
    table = simulated(build("cosine"), "cosine", data, gallery=False)
    assert table["simulated_t2v_retained"].tolist() == [1.0] * len(table)
    assert simulated(build("cosine"), "cosine", data)["simulated_t2v_retained"].min() < 1


def test_a_batch_of_products_is_on_arrays_like_a_single_one(data):
    class Model(RetrievalModel):
        encode_items = encode_captions = staticmethod(lambda features: features)

        def similarity(self, items, captions, kind=None):
            if self.batched:
                return torch.bmm(items[None], captions.T[None])[0]
            return items @ captions.T

    def scores(batched):
        model = Model(AlignedSettings(family="aligned"), WIDTH, WIDTH)
        model.batched = batched
        chip = Chip(model, model_graphs(model, "cosine"), data(seed=1), True, 8, [4])
        return chip.scores({}, EXACT, data(), [(4, 0.0)], np.random.SeedSequence(0))[0]

    np.testing.assert_array_equal(scores(True), scores(False))
    assert len(np.unique(scores(True)[:, 0])) < 11  # 4 bits


def test_exact_weights_leave_the_converters_alone(build, data):
    table = simulated(build("mean"), "mean", data, weights="exact")
    row = at(table, "adc_bits", 8)
    assert row["simulated_t2v_r1"] == at(table, "weight_noise", 0.0)["simulated_t2v_r1"]
    assert row["simulated_t2v_r1_lo"] == row["simulated_t2v_r1_hi"]


def test_the_interval_is_near_the_bootstraps():
    values = np.random.default_rng(0).normal(size=60)
    mean, low, high = t_interval(values)
    other = bootstrap((values,), np.mean, random_state=0, method="percentile").confidence_interval
    assert low == pytest.approx(other.low, abs=0.03) and high == pytest.approx(other.high, abs=0.03)
    assert low < mean < high


def test_the_verdict_needs_the_recall_and_no_sampling(build, data):
    table = simulated(build("mean"), "mean", data)
    record = simulated_record(table, SETTINGS)
    weaker = min(record["simulated_t2v_retained"], record["simulated_v2t_retained"])
    assert record["simulated_r1_retained"] == weaker
    assert record["simulated_t2v_r1"] == at(table, "adc_bits", 8)["simulated_t2v_r1"]
    good = {"simulated_r1_retained": 0.99}
    assert deployable(good, {"samples": False}, SETTINGS)
    assert not deployable(good, {"samples": True}, SETTINGS)
    assert not deployable({"simulated_r1_retained": 0.9899}, {"samples": False}, SETTINGS)
    assert not deployable({"simulated_r1_retained": None}, {"samples": False}, SETTINGS)


def test_bad_requests_are_refused(build, data):
    with pytest.raises(
        ConfigError, match=r"unknown similarity 'poly' of family aligned; .* cosine"
    ):
        simulated(build("cosine"), "poly", data)
    with pytest.raises(DataError, match="no run is given"):
        simulate([], "mean", data(), data(), SETTINGS)


class Attentive(RetrievalModel):
    """Both sides by one of torch's own transformer layers."""

    def __init__(self):
        super().__init__(AlignedSettings(family="aligned"), WIDTH, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def encode_items(self, features):
        return torch.nn.functional.normalize(self.layers(features[:, None])[:, 0], dim=-1)

    encode_captions = encode_items

    def similarity(self, items, captions, kind=None):
        return items @ captions.T


def test_layers_that_torch_would_read_past_are_on_arrays_too(data):
    """The fast path of a transformer takes its layers' weights, which an array does not show."""
    table = simulated(Attentive().eval(), "cosine", data, weight_noise=[0.0, 2.0])
    noiseless, noisy = (at(table, "weight_noise", value) for value in (0.0, 2.0))
    assert noisy["simulated_t2v_r1"] < noiseless["simulated_t2v_r1"]
    assert torch.backends.mha.get_fastpath_enabled()
