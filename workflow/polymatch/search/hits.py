"""What a search finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Hit:
    """One answer.

    Attributes:
        rank: from 1. Answers of one score are in the order of the gallery.
        id: of the item, or of the first caption that says this text.
        score: the similarity, as it stands in the run's matrix; larger is better.
        uncertainty: of a probabilistic model the mean variance of the answer's Gaussian,
            ``mean(exp(logvar))`` over its dimensions (0 would be a point); None for all others.
        text: what the caption says, or one caption of the item; None where the gallery has none.
        path: the item's picture or clip; None for captions and for items without one.
        right: whether it is a right answer to a known query; None where that is not known.
    """

    rank: int
    id: str
    score: float
    uncertainty: float | None = None
    text: str | None = None
    path: Path | None = None
    right: bool | None = None


class Answers(list[Hit]):
    """Hits, the best first, and what was asked.

    Attributes:
        query: the text, file or id. asked: how many were asked for, maybe more than there are.
        candidates: how many there are. uncertainty: the query's own, as a hit's.
        right: ids of what is known to be right; empty where that is not known.
    """

    def __init__(
        self,
        hits: Iterable[Hit],
        query: str,
        asked: int,
        candidates: int,
        uncertainty: float | None = None,
        right: tuple[str, ...] = (),
    ) -> None:
        super().__init__(hits)
        self.query, self.asked, self.candidates = query, asked, candidates
        self.uncertainty, self.right = uncertainty, right
