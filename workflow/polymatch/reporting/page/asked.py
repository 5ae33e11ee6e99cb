"""Queries whose answers the page shows for every model: chosen ones, and ones drawn at random.

Chosen are those on which the models differ most: the spread of their reciprocal ranks, the largest
first, among equals the first query. They say where models differ and not how good they are, so the
page shows as many random ones beside them, and says which are which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polymatch.evaluation.query_ranks import DIRECTIONS, Direction
from polymatch.reporting.page.board import Key, RowRanks, row_key
from polymatch.reporting.page.packed import plain
from polymatch.reporting.retrieved import answers


def choose_queries(ranks: np.ndarray, queries: int, seed: int) -> list[tuple[int, str]]:
    """Rows of queries, each with why it was taken.

    Args:
        ranks: [R, Q] of R rows of the leaderboard.
        queries: how many of each kind, fewer where there are not so many.
        seed: of the draw.

    >>> choose_queries(np.array([[1.0, 5.0, 2.0], [9.0, 5.0, 2.5]]), 1, 0)[0]
    (0, 'chosen')
    """
    spread = (1.0 / ranks).max(axis=0) - (1.0 / ranks).min(axis=0)
    number = min(queries, (len(spread) + 1) // 2) if len(ranks) > 1 else 0
    chosen = np.argsort(-spread, kind="stable")[:number]
    others = np.setdiff1d(np.arange(len(spread)), chosen)
    drawn = np.random.default_rng(seed).permutation(others)[:queries]
    return [(int(q), "chosen") for q in chosen] + [(int(q), "random") for q in sorted(drawn)]


def asked(
    rows: Mapping[Key, RowRanks],
    matrices: Mapping[Key, Path],
    matches: np.ndarray,
    queries: int,
    seed: int,
) -> dict[Direction, dict[str, Any]]:
    """The queries of both directions and what each row retrieves for them.

    Args:
        rows: ranks on the same queries.
        matrices: similarity of the first run of those rows whose answers are shown, ``.npy`` of
            [N, M], items x captions.
        matches: [P, 2] rows of every matched item and caption.
        queries: how many of each kind and direction.
        seed: of the draw.

    Returns:
        By direction ``queries``: ``[row, why, rows of all right answers]``, and ``answers``: by
        name of a row of the leaderboard, a ``[rank, best rows, best right row]`` for each query.
    """
    found: dict[Direction, dict[str, Any]] = {}
    opened = {key: np.load(path, mmap_mode="r") for key, path in matrices.items()}
    for direction, side in zip(DIRECTIONS, (1, 0), strict=True):
        ranks = np.stack([row.rank[direction] for row in rows.values()])
        taken = choose_queries(ranks, queries, seed)
        order = [query for query, _ in taken]
        found[direction] = {
            "queries": [
                [query, why, matches[matches[:, side] == query, 1 - side].tolist()]
                for query, why in taken
            ],
            "answers": {
                row_key(key): [
                    [plain(answer.rank, 5), answer.best, answer.right[0]]
                    for answer in answers(matrix, rows[key].first, matches, direction, order)
                ]
                for key, matrix in opened.items()
            },
        }
    return found


def rows_shown(found: Mapping[Direction, Mapping[str, Any]]) -> dict[str, list[int]]:
    """Rows of ``items`` and of ``captions`` that are shown, once for every time."""
    shown: dict[str, list[int]] = {"items": [], "captions": []}
    for direction, (queries, answered) in zip(
        DIRECTIONS, (("captions", "items"), ("items", "captions")), strict=True
    ):
        part = found[direction]
        if direction == "t2v":
            shown[answered] += [row for _, _, right in part["queries"] for row in right]
        shown[queries] += [query for query, _, _ in part["queries"]]
        shown[answered] += _answered(part["answers"].values())
    return shown


def _answered(answers_of_rows: Iterable[Any]) -> list[int]:
    return [
        row for of_row in answers_of_rows for _, best, right in of_row for row in [*best, right]
    ]
