"""Ranks, metrics, intervals and paired tests, from similarity matrices and ids and nothing else."""

from polymatch.evaluation.intervals import bootstrap_intervals
from polymatch.evaluation.metrics import metrics_of, retrieval_metrics
from polymatch.evaluation.ranks import RetrievalRanks, retrieval_ranks
from polymatch.evaluation.significance import PairedTest, holm, paired_test

__all__ = [
    "PairedTest",
    "RetrievalRanks",
    "bootstrap_intervals",
    "holm",
    "metrics_of",
    "paired_test",
    "retrieval_metrics",
    "retrieval_ranks",
]
