"""Two runs on the same queries: a paired test, and the queries that they answer differently.

Several seeds of a run are averaged for each query first, as in the leaderboard, so that the test of
the R-sum is the leaderboard's before that is corrected for its number of rows. A query is won where
A's mean rank of the right answer is the better one. Queries come in the order of how much their
reciprocal ranks differ: from rank 1 to 5 is much, from 180 to 220 is little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from polymatch.data.captions import Queries
from polymatch.errors import DataError
from polymatch.evaluation import PairedTest, RetrievalRanks, metrics_of, paired_test
from polymatch.evaluation.ranks import DIRECTIONS, RSUM_AT, Direction
from polymatch.settings.stages import EvaluationSettings

Asked: TypeAlias = Literal["t2v", "v2t", "both"]
Outcome: TypeAlias = Literal["won", "lost", "same"]

TESTED = ("r1", "r5", "r10", "meanr", "map")
SEPARATOR = " | "  # between several right answers of one query
_EQUAL = 1e-9  # mean ranks of equal seeds in another order differ by less


@dataclass(frozen=True)
class TestSet:
    """What runs were scored on: the gallery's items and the distinct texts about them, in order.

    Attributes:
        protocol: split and captions in words, as :func:`polymatch.sources.protocol_of` gives them.
        items: [N] item ids.
        queries: [M] texts, ids of the captions that stand for them, and the items that they name.
    """

    __test__ = False  # no test case, whatever pytest makes of its name

    protocol: str
    items: Sequence[str]
    queries: Queries


@dataclass(frozen=True)
class TestedMetric:
    """A metric of both (means over seeds) and the paired test of their difference, a minus b."""

    __test__ = False

    name: str
    a: float
    b: float
    test: PairedTest

    @property
    def lower_is_better(self) -> bool:
        """Whether a negative difference speaks for A."""
        return self.name.endswith("meanr")


@dataclass(frozen=True)
class Comparison:
    """Outcome of :func:`compared`.

    Attributes:
        a: name of the one run.
        b: name of the other.
        seeds: how many runs of each were averaged.
        test_set: what both were scored on.
        tests: the sum of the recalls asked for first, then further metrics; p-values as they are,
            not corrected for their number.
        queries: a row for each query as in ``workflow/schemas/comparison.schema.json``, the most
            changed first.
    """

    a: str
    b: str
    seeds: tuple[int, int]
    test_set: TestSet
    tests: list[TestedMetric]
    queries: pd.DataFrame

    @property
    def headline(self) -> TestedMetric:
        """The test of the sum of recalls."""
        return self.tests[0]

    def counts(self, direction: Direction) -> dict[Outcome, int]:
        """How many queries of a direction A has won, has lost, and has answered as B did."""
        outcomes = self.queries.loc[self.queries["direction"] == direction, "outcome"]
        return {name: int((outcomes == name).sum()) for name in get_args(Outcome)}

    @property
    def directions(self) -> list[Direction]:
        """The directions that were asked for."""
        return [each for each in DIRECTIONS if (self.queries["direction"] == each).any()]


def compared(
    ranks_a: Sequence[RetrievalRanks],
    ranks_b: Sequence[RetrievalRanks],
    test_set: TestSet,
    settings: EvaluationSettings,
    *,
    names: tuple[str, str] = ("A", "B"),
    direction: Asked = "both",
    metrics: Sequence[str] = TESTED,
) -> Comparison:
    """Compare two runs, or two models over their seeds, on the same queries.

    Args:
        ranks_a: of each seed of the one.
        ranks_b: of each seed of the other; both need not have the same number.
        test_set: what all of them were scored on.
        settings: sign flips and seed of the paired tests.
        names: what the two are called.
        direction: whose queries are compared; the first test is of the R-sum, or of the direction's
            three recalls.
        metrics: what is tested in each direction beside, as in
            :func:`polymatch.evaluation.paired_test`.

    Raises:
        DataError: ranks are not of this test set's queries.
        NumericsError: a metric is unknown.
    """
    for name, runs in zip(names, (ranks_a, ranks_b), strict=True):
        if not runs:
            raise DataError(f"{name}: no ranks were given; run the workflow for it first")
        for run in runs:
            _check_ranks(name, run, test_set)
    directions = DIRECTIONS if direction == "both" else (direction,)
    wanted = ["rsum"] if direction == "both" else [f"{direction}_rsum"]
    wanted += [f"{each}_{metric}" for each in directions for metric in metrics]
    tests = [_tested(metric, ranks_a, ranks_b, settings) for metric in wanted]
    rows = pd.concat([_queries(each, ranks_a, ranks_b, test_set) for each in directions])
    gain = (1.0 / rows["rank_a"] - 1.0 / rows["rank_b"]).abs()
    order = np.lexsort((rows[["rank_a", "rank_b"]].min(axis=1), -gain))
    return Comparison(
        *names,
        seeds=(len(ranks_a), len(ranks_b)),
        test_set=test_set,
        tests=tests,
        queries=rows.iloc[order].reset_index(drop=True),
    )


def check_same_test_set(names: tuple[str, str], a: TestSet, b: TestSet) -> None:
    """Refuse two runs that were not scored on the same queries.

    Raises:
        DataError: says what differs first: protocol, items, captions, texts or right answers.
    """
    both = f"{names[0]} and {names[1]} cannot be compared"
    if a.protocol != b.protocol:
        raise DataError(
            f"{both}: the one was scored by the protocol {a.protocol!r}, the other by "
            f"{b.protocol!r}; choose runs of one protocol"
        )
    for what, one, other in (
        ("items", a.items, b.items),
        ("captions", a.queries.caption_ids, b.queries.caption_ids),
        ("texts", a.queries.texts, b.queries.texts),
        ("right answers", a.queries.positives, b.queries.positives),
    ):
        if len(one) != len(other):
            raise DataError(
                f"{both}: {len(one)} {what} of test against {len(other)}; choose runs that were "
                "scored on the same ones"
            )
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                raise DataError(
                    f"{both}: their {what} of test differ from the {place + 1}. on ({left!r} "
                    f"against {right!r}); choose runs of the same ones, in the same order"
                )


def _check_ranks(name: str, ranks: RetrievalRanks, test_set: TestSet) -> None:
    """Ranks name captions by their place and items by their id."""
    first = [named[0] for named in test_set.queries.positives]
    t2v, v2t = ranks.t2v, ranks.v2t
    if list(v2t.query_ids) != list(test_set.items) or list(t2v.clusters) != first:
        raise DataError(
            f"{name}: its ranks are of {len(v2t.query_ids)} items and {len(t2v.query_ids)} texts, "
            f"not these {len(test_set.items)} items and {len(first)} texts of test; "
            "run the workflow for it again"
        )


def _tested(
    metric: str,
    ranks_a: Sequence[RetrievalRanks],
    ranks_b: Sequence[RetrievalRanks],
    settings: EvaluationSettings,
) -> TestedMetric:
    test = paired_test(
        ranks_a, ranks_b, metric=metric, resamples=settings.permutations, seed=settings.seed
    )
    a, b = (np.mean([_value(run, metric, settings) for run in runs]) for runs in (ranks_a, ranks_b))
    return TestedMetric(metric, float(a), float(b), test)


def _value(ranks: RetrievalRanks, metric: str, settings: EvaluationSettings) -> float:
    if metric in ("t2v_rsum", "v2t_rsum"):
        return sum(_value(ranks, f"{metric[:3]}_r{k}", settings) for k in RSUM_AT)
    recall = metric.partition("_r")[2]
    k = {int(recall)} if recall.isdecimal() else set()
    return metrics_of(ranks, sorted({*settings.k, *k}))[metric]


def _queries(
    direction: Direction,
    ranks_a: Sequence[RetrievalRanks],
    ranks_b: Sequence[RetrievalRanks],
    test_set: TestSet,
) -> pd.DataFrame:
    rank_a, rank_b = (
        np.mean([run.expected_rank(direction) for run in runs], axis=0)
        for runs in (ranks_a, ranks_b)
    )
    queries = test_set.queries
    if direction == "t2v":
        ids, texts = queries.caption_ids, queries.texts
        right = [SEPARATOR.join(named) for named in queries.positives]
    else:
        said: dict[str, list[str]] = {item: [] for item in test_set.items}
        for text, named in zip(queries.texts, queries.positives, strict=True):
            for item in named:
                said[item].append(text)
        ids, texts = list(test_set.items), [""] * len(test_set.items)
        right = [SEPARATOR.join(said[item]) for item in test_set.items]
    difference = rank_a - rank_b
    outcome = np.select([difference < -_EQUAL, difference > _EQUAL], ["won", "lost"], "same")
    return pd.DataFrame(
        {
            "direction": direction,
            "query": ids,
            "text": texts,
            "right": right,
            "rank_a": rank_a,
            "rank_b": rank_b,
            "outcome": outcome,
        }
    )
