"""``results/external/<name>.csv``: a similarity matrix made elsewhere, in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from polymatch.evaluation import RetrievalRanks, paired_test
from polymatch.evaluation.record import ScoredMatrix
from polymatch.settings.stages import EvaluationSettings

COMPARED = ("rsum", "t2v_r1", "v2t_r1")


def external_table(
    name: str,
    scored: ScoredMatrix,
    settings: EvaluationSettings,
    *,
    matrices: int,
    dropped: int,
    against: str | None = None,
    kind: str | None = None,
    runs: Sequence[RetrievalRanks] = (),
    protocol: str | None = None,
) -> pd.DataFrame:
    """One row: the matrix's metrics, and its differences from a model of ours.

    Args:
        name: of the entry.
        scored: what the matrix got.
        settings: sign flips and seed of the paired tests.
        matrices: how many files it is the mean of.
        dropped: columns that were left out, since they repeat a text.
        against: the model that it is compared with, if any.
        kind: similarity of that model.
        runs: ranks of the model's runs on the same queries; their mean is compared.
        protocol: which split and captions it is of; None for a matrix of another data set.

    Raises:
        DataError: the runs' queries are others than the matrix's.
    """
    row: dict[str, Any] = {"name": name, "protocol": protocol, "matrices": matrices}
    row |= {"captions_dropped": dropped, **scored.row()}
    row |= {"against": against, "against_similarity": kind, "against_runs": len(runs)}
    for metric in COMPARED:
        row |= _difference(metric, scored.ranks, runs, settings)
    return pd.DataFrame([row])


def _difference(
    metric: str, ranks: RetrievalRanks, runs: Sequence[RetrievalRanks], settings: EvaluationSettings
) -> dict[str, float | None]:
    names = [f"{metric}_{part}" for part in ("difference", "difference_lo", "difference_hi", "p")]
    if not runs:
        return dict.fromkeys(names)
    test = paired_test(
        ranks, runs, metric=metric, resamples=settings.permutations, seed=settings.seed
    )
    return dict(zip(names, (test.difference, *test.interval, test.p_value), strict=True))
