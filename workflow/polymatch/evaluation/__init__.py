"""Ranks, metrics, intervals and paired tests, from similarity matrices and ids and nothing else."""

from polymatch.evaluation.asp import average_semantic_precision
from polymatch.evaluation.intervals import bootstrap_intervals
from polymatch.evaluation.judged import fold_ranks, judged_ranks
from polymatch.evaluation.metrics import metrics_of, retrieval_metrics
from polymatch.evaluation.pmrp import pmrp
from polymatch.evaluation.ranks import RetrievalRanks, retrieval_ranks
from polymatch.evaluation.significance import PairedTest, holm, paired_test

__all__ = [
    "PairedTest",
    "RetrievalRanks",
    "average_semantic_precision",
    "bootstrap_intervals",
    "fold_ranks",
    "holm",
    "judged_ranks",
    "metrics_of",
    "paired_test",
    "pmrp",
    "retrieval_metrics",
    "retrieval_ranks",
]
