import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet
from polymatch.deployment.benchmark import _median_interval, measure
from polymatch.models import build_model, save_model
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.settings.stages import BenchmarkSettings


@pytest.fixture
def run(tmp_path):
    settings = ProbabilisticSettings(
        family="probabilistic", loss="sampled", similarities=["mean", "mc"], hidden=64
    )
    save_model(build_model(settings, 16, 16), tmp_path)
    return tmp_path


def data(n=50, m=80):
    random = np.random.default_rng(0)
    ids = [str(i) for i in range(n)]
    items, captions = random.normal(size=(n, 16)), random.normal(size=(m, 16))
    return RetrievalSet(ids, items, [str(j) for j in range(m)], captions, [("0",)] * m)


def test_it_measures_what_it_says(run):
    settings = BenchmarkSettings(warmup=1, runs=5, threads=1)
    record = measure(run, data(), "mean", settings, torch.device("cpu"))
    assert record["latency_lo_ms"] <= record["latency_ms"] <= record["latency_hi_ms"]
    assert record["parameters"] == 4 * (16 * 64 + 64 + 64 * 16 + 16)
    assert (record["n_items"], record["n_captions"], record["runs"]) == (50, 80, 5)
    assert 0 <= record["memory_added_mb"] < record["memory_mb"]


def test_interval_of_the_median_covers_it_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        low, high = _median_interval(random.exponential(size=20))
        covered += low <= np.log(2) <= high
    assert 0.92 <= covered / 500 <= 1.0
