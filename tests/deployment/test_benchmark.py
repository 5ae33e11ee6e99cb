import time

import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet
from polymatch.data.tables import read_table, write_table
from polymatch.deployment.benchmark import measure
from polymatch.deployment.growth import encoded_gallery, measure_growth
from polymatch.deployment.timing import median_interval, statistics, times
from polymatch.models import build_model, load_model, save_model
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
    batch = ("latency", "encoding", "scoring")
    single = ("single_query", "single_query_encoding", "single_query_scoring")
    for name in (*batch, *single):
        assert 0 < record[f"{name}_lo_ms"] <= record[f"{name}_ms"] <= record[f"{name}_hi_ms"]
        assert record[f"{name}_mean_ms"] > 0 and record[f"{name}_sd_ms"] >= 0
    assert record["parameters"] == 4 * (16 * 64 + 64 + 64 * 16 + 16)
    assert record["stored_mb"] == (run / "model.safetensors").stat().st_size / 2**20
    assert record["weights_mb"] == 4 * record["parameters"] / 2**20
    assert 0 < record["nonzero_parameters"] <= record["parameters"]
    assert (record["n_items"], record["n_captions"], record["runs"]) == (50, 80, 5)
    assert 0 <= record["memory_added_mb"] < record["memory_mb"]


CPU = torch.device("cpu")


def test_growth_has_a_row_for_each_size_and_number_of_queries(run, tmp_path):
    settings = BenchmarkSettings(
        warmup=0, runs=7, threads=1, gallery=[10, 300, 5000], gallery_batch=90
    )
    table = measure_growth(run, data(), "mc", settings, CPU)
    write_table(table, tmp_path / "growth.csv", "growth")
    assert read_table(tmp_path / "growth.csv", "growth").shape == table.shape
    pairs = [(size, number) for size in (10, 300, 5000) for number in (1, 90)]
    assert list(zip(table["gallery"], table["queries"], strict=True)) == pairs
    assert (table["latency_lo_ms"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["latency_hi_ms"]).all()
    assert table["memory_mb"].is_monotonic_increasing and (table["runs"] == 7).all()


def test_galleries_that_would_take_too_long_are_left_out_and_runs_cut(run, capsys):
    settings = BenchmarkSettings(
        warmup=0, runs=7, threads=1, gallery=[10, 10**6, 10**7], gallery_batch=90, longest=1e-3
    )
    table = measure_growth(run, data(), "mc", settings, CPU)
    assert set(table["gallery"]) == {10}
    assert "a gallery of 1000000 items is left out" in capsys.readouterr().out
    settings = BenchmarkSettings(warmup=0, runs=50, threads=1, longest=1e-6)
    assert measure(run, data(), "mc", settings, CPU)["runs"] == 6


def test_no_larger_gallery_and_a_batch_of_one_are_allowed(run, tmp_path):
    nothing = measure_growth(run, data(), "mean", BenchmarkSettings(runs=3, gallery=[]), CPU)
    write_table(nothing, tmp_path / "growth.csv", "growth")
    assert len(read_table(tmp_path / "growth.csv", "growth")) == 0
    one = BenchmarkSettings(runs=3, gallery=[5], gallery_batch=1)
    assert measure_growth(run, data(), "mean", one, CPU)["queries"].tolist() == [1]


def test_a_larger_gallery_holds_the_items_and_changed_copies_and_begins_with_a_smaller_one(run):
    model, items = load_model(run), torch.as_tensor(data().items, dtype=torch.float32)
    with torch.inference_mode():
        real = model.encode_items(items)
        large, small = (encoded_gallery(model, items, size, CPU) for size in (9000, 4500))
    assert type(large) is type(real) and large.mu.shape == (9000, 16)
    for big, little, own in zip(large, small, real, strict=True):
        torch.testing.assert_close(big[:50], own, atol=1e-6, rtol=0)
        torch.testing.assert_close(big[:4500], little, atol=1e-6, rtol=0)
    assert len(torch.unique(large.mu, dim=0)) == 9000
    # The third copy's numbers are two places on; the eighteenth goes round once, and one place on.
    torch.testing.assert_close(large.mu[100:150], real.mu.roll(2, 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(large.mu[850:900], 1.001 * real.mu.roll(1, 1), atol=1e-5, rtol=0)


def test_runs_stop_at_the_limit_but_not_before_six():
    calls = []

    def work():
        calls.append(time.sleep(0.003))

    assert len(times(work, 2, 50, CPU, limit_s=1e-9)) == 6
    assert len(calls) == 7  # the second warm-up is cut too
    assert len(times(work, 0, 4, CPU, limit_s=1e-9)) == 4
    taken = times(work, 0, 9, CPU)
    assert len(taken) == 9 and (taken >= 3).all()


def test_statistics_are_those_of_numpy():
    taken = np.array([5.0, 1.0, 2.0, 4.0, 3.0, 9.0])
    assert statistics("x", taken) == pytest.approx(
        {"x_ms": 3.5, "x_mean_ms": 4.0, "x_sd_ms": 8**0.5, "x_lo_ms": 1.0, "x_hi_ms": 9.0}
    )


@pytest.mark.parametrize("runs", [6, 20, 21])
def test_interval_of_the_median_covers_it_as_often_as_it_says(runs):
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        low, high = median_interval(random.exponential(size=runs))
        covered += low <= np.log(2) <= high
    assert 0.92 <= covered / 500 <= 1.0
