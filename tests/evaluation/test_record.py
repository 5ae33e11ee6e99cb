"""One matrix's record holds what its parts say, and its row the same in columns."""

import numpy as np

from polymatch.evaluation import bootstrap_intervals, metrics_of, retrieval_ranks
from polymatch.evaluation.record import score_matrix
from polymatch.settings.stages import EvaluationSettings

SETTINGS = EvaluationSettings(k=[1, 3, 5, 10], metrics=["mrr"], resamples=100, seed=4)


def test_the_record_is_of_the_parts():
    similarity = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    items = [f"i{row}" for row in range(12)]
    positives = [(items[query % 12],) for query in range(30)]
    scored = score_matrix(similarity, items, positives, SETTINGS)
    ranks = retrieval_ranks(similarity, items, positives)
    metrics = metrics_of(ranks, [1, 3, 5, 10], ["mrr"])
    intervals = bootstrap_intervals(ranks, [1, 3, 5, 10], 100, 4, measures=["mrr"])
    assert scored.record() == {
        "metrics": metrics,
        "intervals": intervals,
        "n_items": 12,
        "n_captions": 30,
    }
    row = scored.row()
    assert row["n_items"] == 12 and row["t2v_mrr"] == metrics["t2v_mrr"]
    assert (row["rsum_lo"], row["rsum_hi"]) == intervals["rsum"]
    assert len(row) == 2 + 3 * len(metrics)
