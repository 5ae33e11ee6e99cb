"""What a run retrieves for a few queries of each direction, failures included on purpose.

Half of the queries have their right answer first, a quarter at rank 2 to 10, a quarter further
down, each drawn at random among its kind: a sheet of hits alone would flatter. The shares of all
queries stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polymatch.errors import DataError
from polymatch.evaluation.ranks import DIRECTIONS, Direction, RetrievalRanks

SHOWN = 5
# Kind of outcome -> share of the queries on a sheet.
OUTCOMES = {"rank 1": 0.5, "rank 2 to 10": 0.25, "rank above 10": 0.25}


@dataclass(frozen=True)
class Answer:
    """One query and the best of what it got; rows count items or captions, from 0.

    Attributes:
        query: row of the query.
        best: rows of the five best candidates, the best first (ties: the first row first).
        right: rows of all right ones, the best-ranked first.
        rank: expected rank of the best right one.
    """

    query: int
    best: list[int]
    right: list[int]
    rank: float

    @property
    def missed(self) -> bool:
        """Whether no right one is among the best."""
        return not set(self.best) & set(self.right)


@dataclass(frozen=True)
class Sheet:
    """One direction's answers, best rank first, and the number of all queries by outcome."""

    direction: Direction
    answers: list[Answer]
    outcomes: dict[str, int]


def retrieved(
    similarity: np.ndarray,
    ranks: RetrievalRanks,
    matches: np.ndarray,
    queries: int,
    seed: int,
) -> list[Sheet]:
    """Choose queries of both directions and look up what they got.

    Args:
        similarity: [N, M], items x captions; may be a memory map.
        ranks: of that matrix.
        matches: [P, 2] rows of every matched item and caption.
        queries: how many of each direction.
        seed: of the draw.

    Raises:
        DataError: the ranks are not those of a matrix of this shape.
    """
    sheets = []
    for direction, side in zip(DIRECTIONS, (1, 0), strict=True):
        of = ranks.of(direction)
        asked = similarity.shape[side]
        if len(of.better) != asked or (of.n_candidates != similarity.shape[1 - side]).any():
            raise DataError(
                f"{direction}: ranks are of {len(of.better)} queries, the similarity has shape "
                f"{similarity.shape}; evaluate it again"
            )
        chosen = choose(of.expected_rank, queries, seed)
        outcome = outcome_of(of.expected_rank)
        sheets.append(
            Sheet(
                direction,
                [_answer(similarity, matches, side, row, of.expected_rank[row]) for row in chosen],
                {name: int(np.sum(outcome == place)) for place, name in enumerate(OUTCOMES)},
            )
        )
    return sheets


def answers(
    similarity: np.ndarray,
    ranks: RetrievalRanks,
    matches: np.ndarray,
    direction: Direction,
    queries: Sequence[int],
) -> list[Answer]:
    """What these queries got; arguments as of :func:`retrieved`, queries by row."""
    side = 1 if direction == "t2v" else 0
    rank = ranks.expected_rank(direction)
    return [_answer(similarity, matches, side, query, rank[query]) for query in queries]


def outcome_of(rank: np.ndarray) -> np.ndarray:
    """Place in :data:`OUTCOMES` of each rank; a right one that is tied for the first is not first.

    >>> outcome_of(np.array([1.0, 1.5, 10.0, 10.5]))
    array([0, 1, 1, 2])
    """
    return np.searchsorted([1.0, 10.0], rank, side="left")


def choose(rank: np.ndarray, queries: int, seed: int) -> list[int]:
    """Draw rows of ``queries`` queries by outcome; others fill in where one has too few."""
    random = np.random.default_rng(seed)
    outcome = outcome_of(rank)
    shuffled = [
        random.permutation(np.flatnonzero(outcome == kind)) for kind in range(len(OUTCOMES))
    ]
    shares = list(OUTCOMES.values())
    wanted = [round(queries * share) for share in shares[1:]]
    wanted = [queries - sum(wanted), *wanted]
    taken = [rows[:number] for rows, number in zip(shuffled, wanted, strict=True)]
    left = [row for rows, number in zip(shuffled, wanted, strict=True) for row in rows[number:]]
    chosen = np.concatenate([*taken, left[: queries - sum(map(len, taken))]]).astype(int)
    return sorted(chosen.tolist(), key=lambda row: (rank[row], row))


def _answer(
    similarity: np.ndarray, matches: np.ndarray, side: int, query: int, rank: float
) -> Answer:
    scores = np.asarray(similarity[:, query] if side else similarity[query])
    right = matches[matches[:, side] == query, 1 - side]
    return Answer(
        query=query,
        best=np.argsort(-scores, kind="stable")[:SHOWN].tolist(),
        right=right[np.argsort(-scores[right], kind="stable")].tolist(),
        rank=float(rank),
    )


def shares_of(outcomes: dict[str, int]) -> str:
    """Say how all queries ended.

    >>> shares_of({"rank 1": 1, "rank 2 to 10": 2, "rank above 10": 1})
    'all 4 queries: rank 1 25% (1), rank 2 to 10 50% (2), rank above 10 25% (1)'
    """
    number = sum(outcomes.values())
    parts: Sequence[str] = [f"{name} {n / number:.0%} ({n})" for name, n in outcomes.items()]
    return f"all {number} queries: {', '.join(parts)}"


def answers_table(
    sheets: Sequence[Sheet], texts: Sequence[str], item_ids: Sequence[str]
) -> pd.DataFrame:
    """The sheets as ``workflow/schemas/retrieved.schema.json`` describes it.

    The best answers of each query in order, below them the best right one if it is not among these;
    after a direction's queries how many of all queries end in which way.

    Args:
        sheets: as :func:`retrieved` returns them.
        texts: of the captions, by row.
        item_ids: of the items, by row.
    """
    rows = []
    for sheet in sheets:
        sides = (texts, item_ids) if sheet.direction == "t2v" else (item_ids, texts)
        for number, answer in enumerate(sheet.answers, start=1):
            shown: list[tuple[int | None, int]] = list(enumerate(answer.best, start=1))
            if answer.missed:
                shown.append((None, answer.right[0]))
            rows += [
                {
                    "part": "answer",
                    "direction": sheet.direction,
                    "number": number,
                    "query": sides[0][answer.query],
                    "rank": answer.rank,
                    "place": place,
                    "answer": sides[1][row],
                    "right": row in answer.right,
                    "queries": None,
                }
                for place, row in shown
            ]
        rows += [
            {
                "part": "outcome",
                "direction": sheet.direction,
                "number": number,
                "query": name,
                "queries": count,
            }
            for number, (name, count) in enumerate(sheet.outcomes.items(), start=1)
        ]
    kinds = {"place": "Int64", "right": "boolean", "queries": "Int64"}
    return pd.DataFrame(rows).astype(kinds)
