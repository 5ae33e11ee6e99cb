"""An index of nearest neighbours: candidates of a query, without looking at all items.

faiss (Johnson, Douze and Jegou, "Billion-scale similarity search with GPUs", 2019) over the points
that a model gives of its items (:meth:`polymatch.models.model.RetrievalModel.item_points`); what it
finds is scored again. Small galleries are looked through as a whole (``Flat``); larger ones in
lists (``IVF``), of which a query looks at those nearest to it. How many candidates and lists are
enough is measured, not guessed: when an index is built, by the share of the ten best answers of a
full search that come out, over a sample of queries.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polymatch.errors import ConfigError

Points = NDArray[np.float32]

FLAT_UP_TO = 20_000
"""Items up to which all points are looked at."""
TRAINED_ON = 40
"""Points for each list that the lists are fitted to."""
TARGET = 0.95
"""Share of the ten best answers that an index is to find."""
_CANDIDATES = (50, 100, 200, 400, 800, 1600)
_BEST = 10


@dataclass(frozen=True)
class Found:
    """What an index is, and what it finds: stored beside it.

    Attributes:
        lists: number of lists, 1 for a flat one. probes: of them a query looks at.
        candidates: items that are scored again for each query, where not told otherwise.
        recall: share of the ten best of a full search that come out, over ``queries``.
        seconds: that building took, the measurement left out.
    """

    items: int
    width: int
    lists: int
    probes: int
    candidates: int
    recall: float
    queries: int
    seconds: float

    def described(self) -> str:
        """One line about it.

        >>> Found(300, 65, 1, 1, 50, 1.0, 40, 0.01).described()
        'flat index of 300 items, 50 candidates a query: recall@10 1.000 over 40 queries (0.0 s)'
        """
        kind = "flat index" if self.lists == 1 else f"{self.probes} of {self.lists} lists"
        return (
            f"{kind} of {self.items:,} items, {self.candidates} candidates a query: "
            f"recall@10 {self.recall:.3f} over {self.queries} queries ({self.seconds:.1f} s)"
        )


class PointIndex:
    """Points [N, E], and which are nearest to another one; safe to ask from several threads."""

    def __init__(self, index: Any, found: Found) -> None:
        self._index, self.found = index, found

    @classmethod
    def build(
        cls, blocks: Callable[[], Iterable[Points]], count: int, lists: int | None = None
    ) -> PointIndex:
        """Build over ``count`` points that ``blocks`` gives twice: to fit lists, and to fill them.

        Raises:
            ConfigError: faiss is not installed.
        """
        faiss = load_faiss()
        started = time.perf_counter()
        width = next(iter(blocks())).shape[1]
        lists = lists or lists_for(count)
        index = faiss.IndexFlatL2(width)
        if lists > 1:
            index = faiss.IndexIVFFlat(index, width, lists)
            index.train(_sample(blocks(), count, min(count, lists * TRAINED_ON)))
        for block in blocks():
            index.add(np.ascontiguousarray(block, dtype=np.float32))
        seconds = time.perf_counter() - started
        return cls(index, Found(count, width, lists, lists, _BEST, 1.0, 0, seconds))

    def tuned(
        self,
        queries: Points,
        answers: Sequence[set[int]],
        rescored: Callable[[int, NDArray[np.int64]], NDArray[np.int64]],
        candidates: int | None = None,
        target: float = TARGET,
    ) -> PointIndex:
        """The same with as few candidates and lists as find ``target`` of the right answers.

        Args:
            queries: [Q, E]. answers: of each the rows of the best ten, by a full search.
            rescored: a query's number and candidates -> the ten best of them by the exact score.
            candidates: how many; as few as are enough, if not given.
        """

        def share(found: Sequence[NDArray[np.int64]]) -> float:
            right = [len(a & set(rescored(q, rows).tolist())) for q, (a, rows) in both(found)]
            return sum(right) / max(1, sum(map(len, answers)))

        def both(found: Sequence[NDArray[np.int64]]) -> Any:
            return enumerate(zip(answers, found, strict=True))

        # With all lists looked at, what is missing is missing among the candidates.
        lists = self.found.lists
        numbers = [candidates] if candidates else [n for n in _CANDIDATES if n < len(self)]
        numbers = [min(n, len(self)) for n in numbers] or [len(self)]
        nearest = self._nearest(queries, numbers[-1], lists)
        margin = (1 + target) / 2
        enough = (n for n in numbers if share([rows[:n] for rows in nearest]) >= margin)
        number = next(enough, numbers[-1])
        for probes in [1 << power for power in range(lists.bit_length()) if 1 << power <= lists]:
            reached = share(list(self._nearest(queries, number, probes)))
            if reached >= target:
                break
        record = asdict(self.found)
        record |= {"probes": probes, "candidates": number, "recall": reached}
        return PointIndex(self._index, Found(**{**record, "queries": len(queries)}))

    def __len__(self) -> int:
        return self.found.items

    def search(self, point: Points, number: int | None = None) -> NDArray[np.int64]:
        """Rows of the ``number`` (or ``candidates``) points nearest to one [E], ascending."""
        number = number or self.found.candidates
        rows = self._nearest(point.reshape(1, -1), number, self.found.probes)[0]
        return np.sort(rows[rows >= 0])

    def _nearest(self, points: Points, number: int, probes: int) -> NDArray[np.int64]:
        """Rows of the points nearest to each of some [Q, E], the nearest first; -1 behind them."""
        faiss = load_faiss()
        options: dict[str, Any] = {}
        if self.found.lists > 1:
            options["params"] = faiss.SearchParametersIVF(nprobe=probes)
        asked = np.ascontiguousarray(points, dtype=np.float32)
        return self._index.search(asked, min(number, len(self)), **options)[1]

    def save(self, path: Path) -> None:
        """Write the points and lists; ``found`` goes into the record beside them."""
        load_faiss().write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path, found: dict[str, Any]) -> PointIndex:
        """Read what :meth:`save` wrote."""
        return cls(load_faiss().read_index(str(path)), Found(**found))


def lists_for(count: int) -> int:
    """How many lists a gallery is divided into: about 4 sqrt(N), a power of two; 1 if small.

    >>> lists_for(20_000), lists_for(100_000), lists_for(1_000_000)
    (1, 1024, 4096)
    """
    if count <= FLAT_UP_TO:
        return 1
    return 1 << round(np.log2(4 * count**0.5))


def load_faiss() -> Any:
    """The module faiss, beside torch.

    On macOS each brings an OpenMP of its own, and two with several threads in one process crash:
    there faiss computes with one. torch is loaded before it everywhere, since the first OpenMP that
    is loaded is the one that a process has.

    Raises:
        ConfigError: it is not installed.
    """
    assert torch
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            f"--ann needs the Python package faiss-cpu, which cannot be loaded ({error}); install "
            "what requirements.txt names, or search all items (without --ann)"
        ) from error
    faiss.omp_set_num_threads(1 if sys.platform == "darwin" else torch.get_num_threads())
    return faiss


def _sample(blocks: Iterable[Points], count: int, wanted: int) -> Points:
    """``wanted`` of the points, drawn at random, always the same."""
    rows = np.sort(np.random.default_rng(0).choice(count, wanted, replace=False))
    taken, start = [], 0
    for block in blocks:
        here = rows[(rows >= start) & (rows < start + len(block))] - start
        taken.append(np.asarray(block)[here])
        start += len(block)
    return np.ascontiguousarray(np.concatenate(taken), dtype=np.float32)
