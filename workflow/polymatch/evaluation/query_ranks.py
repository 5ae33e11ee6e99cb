"""What the queries of both directions got, kept for every metric, interval and paired test.

Decision: a figure that does not follow from a query's counts (its semantic precision, say) is kept
beside them under its name, so that it is averaged, bounded and tested as the others are; it is NaN
for a query that it leaves out. So is what the same queries got within folds of the gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polymatch.errors import DataError
from polymatch.files import written_atomically

Direction: TypeAlias = Literal["t2v", "v2t"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
RSUM_AT = (1, 5, 10)  # The recalls of both directions whose sum is the R-sum.

_COUNTS = ("better", "tied_negatives", "tied_positives", "n_positives", "n_candidates")
_ARRAYS = ("query_ids", "clusters", *_COUNTS, "average_precision")
_IDS = {"query_ids": "query_id", "clusters": "item_id"}  # field -> column
_COLUMNS = {"direction", *_IDS.values(), *_COUNTS, "average_precision"}


@dataclass(frozen=True)
class DirectionRanks:
    """What one direction's Q queries got; every array is [Q].

    Attributes:
        query_ids: caption ids (or positions) for ``t2v``, item ids for ``v2t``.
        clusters: the item that each query belongs to (its first, where a caption names several).
        better: negatives strictly above the best positive.
        tied_negatives: negatives exactly at the best positive.
        tied_positives: positives exactly at the best positive, itself included.
        n_positives: all positives of the query.
        n_candidates: candidates that were ranked.
        average_precision: in [0, 1], expected under random tie-breaking.
        further: figures that the counts do not give, by name, in the unit of the tables (a share
            is a percentage); NaN for a query that is left out.
    """

    query_ids: np.ndarray
    clusters: np.ndarray
    better: np.ndarray
    tied_negatives: np.ndarray
    tied_positives: np.ndarray
    n_positives: np.ndarray
    n_candidates: np.ndarray
    average_precision: np.ndarray
    further: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def expected_rank(self) -> np.ndarray:
        """Expected rank of the best positive, counted from 1, [Q]."""
        return self.better + 1.0 + self.tied_negatives / (self.tied_positives + 1.0)

    def hits(self, k: int) -> np.ndarray:
        """Probability that a positive is among the first ``k`` candidates, [Q].

        Raises:
            ValueError: ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"recall is counted at k >= 1, got {k}")
        places = np.clip(k - self.better, 0, None)
        sure = places > self.tied_negatives
        probability = sure.astype(np.float64)
        open_ = np.flatnonzero(~sure & (places > 0))
        probability[open_] = _chance_of_a_hit(
            places[open_], self.tied_negatives[open_], self.tied_positives[open_]
        )
        return probability

    def taken(self, order: np.ndarray) -> DirectionRanks:
        """The same of some queries, in this order."""
        return DirectionRanks(
            **{name: getattr(self, name)[order] for name in _ARRAYS},
            further={name: values[order] for name, values in self.further.items()},
        )


_NO_IDS, _NO_COUNTS = np.empty(0, object), np.empty(0, np.int64)
_NOTHING = DirectionRanks(
    query_ids=_NO_IDS,
    clusters=_NO_IDS,
    better=_NO_COUNTS,
    tied_negatives=_NO_COUNTS,
    tied_positives=_NO_COUNTS,
    n_positives=_NO_COUNTS,
    n_candidates=_NO_COUNTS,
    average_precision=np.empty(0),
)


@dataclass(frozen=True)
class RetrievalRanks:
    """Per-query results of both directions, enough for every metric, interval and paired test.

    ``folds`` holds what the same queries got within equal folds of the gallery, if that was asked.
    """

    t2v: DirectionRanks
    v2t: DirectionRanks
    folds: RetrievalRanks | None = None

    def of(self, direction: Direction) -> DirectionRanks:
        """The part of one direction, ``"t2v"`` or ``"v2t"``."""
        if direction not in DIRECTIONS:
            raise ValueError(f"direction is one of {', '.join(DIRECTIONS)}, got {direction!r}")
        return self.t2v if direction == "t2v" else self.v2t

    def hits(self, direction: Direction, k: int) -> np.ndarray:
        """Probability in [0, 1] that a positive is among the first ``k``, [Q]."""
        return self.of(direction).hits(k)

    def expected_rank(self, direction: Direction) -> np.ndarray:
        """Expected rank of the best positive, counted from 1, [Q]."""
        return self.of(direction).expected_rank

    def average_precision(self, direction: Direction) -> np.ndarray:
        """Expected average precision in [0, 1], all positives counted, [Q]."""
        return self.of(direction).average_precision

    def clusters(self, direction: Direction) -> np.ndarray:
        """Id of the item that each query belongs to, [Q]."""
        return self.of(direction).clusters

    def with_further(self, figures: Mapping[str, np.ndarray]) -> RetrievalRanks:
        """The same with further figures, [Q] each, under ``t2v_<name>`` and ``v2t_<name>``.

        Raises:
            DataError: one of them has another length than there are queries, or is NaN throughout.
        """
        parts = {direction: dict(self.of(direction).further) for direction in DIRECTIONS}
        for column, values in figures.items():
            direction, _, name = column.partition("_")
            queries = len(self.of(cast(Direction, direction)).better)
            if values.shape != (queries,):
                raise DataError(
                    f"{column}: figures of shape {values.shape} for {queries} queries; one a query"
                )
            if np.isnan(values).all():
                raise DataError(
                    f"{column}: every one of the {queries} queries is left out; check that the "
                    "annotation is of this data set's test split"
                )
            parts[cast(Direction, direction)][name] = values
        t2v, v2t = (replace(self.of(each), further=parts[each]) for each in DIRECTIONS)
        return replace(self, t2v=t2v, v2t=v2t)

    def save(self, path: Path | str) -> None:
        """Write one Parquet row per query; :meth:`load` gives the same arrays back.

        Raises:
            DataError: query or item ids are neither all integers nor all strings.
        """
        tables: list[pa.Table] = []
        kinds: dict[str, str] = {}
        parts: dict[str, DirectionRanks] = {each: self.of(each) for each in DIRECTIONS}
        if self.folds is not None:
            parts |= {f"fold_{each}": self.folds.of(each) for each in DIRECTIONS}
        for name, part in parts.items():
            table, kind = _as_table(part, name, path)
            tables.append(table)
            kinds |= kind
        table = pa.concat_tables(tables, promote_options="default").replace_schema_metadata(kinds)
        with written_atomically(path) as partial:
            pq.write_table(table, partial)

    @classmethod
    def load(cls, path: Path | str) -> RetrievalRanks:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file is missing, is not Parquet or lacks a column.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path}: cannot be read as ranks ({error})") from error
        missing = sorted(_COLUMNS - set(table.column_names))
        if missing:
            raise DataError(f"{path}: lacks the columns {', '.join(missing)}; write it with .save")
        directions = np.array(table["direction"].to_pylist(), dtype=str)
        parts = {
            name: _from_table(table.filter(pa.array(directions == name)), name)
            for name in np.unique(directions).tolist()
        }
        folds = None
        if {"fold_t2v", "fold_v2t"} & {*parts}:
            within = [parts.get(f"fold_{each}", _NOTHING) for each in DIRECTIONS]
            folds = cls(t2v=within[0], v2t=within[1])
        found = [parts.get(each, _NOTHING) for each in DIRECTIONS]
        return cls(t2v=found[0], v2t=found[1], folds=folds)


def joined(parts: Sequence[RetrievalRanks]) -> RetrievalRanks:
    """The queries of several galleries, one after the other, as one result."""
    found = [joined_direction([part.of(direction) for part in parts]) for direction in DIRECTIONS]
    return RetrievalRanks(t2v=found[0], v2t=found[1])


def joined_direction(parts: Sequence[DirectionRanks]) -> DirectionRanks:
    """The same of one direction; parts without a query, or no parts, do not matter."""
    parts = [part for part in parts if len(part.better)] or [_NOTHING]
    return DirectionRanks(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS},
        further={
            name: np.concatenate([part.further[name] for part in parts])
            for name in parts[0].further
        },
    )


def _chance_of_a_hit(
    places: np.ndarray, negatives: np.ndarray, positives: np.ndarray
) -> np.ndarray:
    """Chance that ``places`` of a shuffled group hold a positive, for places <= negatives."""
    none = np.ones(len(places))
    for i in range(1, int(positives.max(initial=0)) + 1):
        factor = (negatives - places + i) / (negatives + i)
        none *= np.where(i <= positives, factor, 1.0)
    return 1.0 - none


def object_array(ids: list) -> np.ndarray:
    array = np.empty(len(ids), object)
    array[:] = ids
    return array


def _as_table(
    part: DirectionRanks, direction: str, path: Path | str
) -> tuple[pa.Table, dict[str, str]]:
    """Rows of one direction, and of what kind its ids are."""
    columns: dict[str, Any] = {"direction": pa.array([direction] * len(part.better))}
    kinds: dict[str, str] = {}
    for name, column in _IDS.items():
        columns[column], kinds[f"{direction}_{name}"] = _as_strings(getattr(part, name), name, path)
    columns |= {name: pa.array(getattr(part, name), pa.int64()) for name in _COUNTS}
    columns["average_precision"] = pa.array(part.average_precision, pa.float64())
    columns |= {name: pa.array(values, pa.float64()) for name, values in part.further.items()}
    return pa.table(columns), kinds


def _from_table(rows: pa.Table, direction: str) -> DirectionRanks:
    kinds = rows.schema.metadata or {}
    ids = {
        name: _from_strings(rows[column], kinds.get(f"{direction}_{name}".encode()))
        for name, column in _IDS.items()
    }
    # A column that only other rows have is empty in these; NaN is not.
    further = {
        name: rows[name].to_numpy()
        for name in rows.column_names
        if name not in _COLUMNS and rows[name].null_count < len(rows)
    }
    counts = {name: rows[name].to_numpy() for name in (*_COUNTS, "average_precision")}
    return DirectionRanks(**ids, **counts, further=further)


def _as_strings(ids: np.ndarray, name: str, path: Path | str) -> tuple[pa.Array, str]:
    for kind, types in (("integer", (int, np.integer)), ("string", str)):
        if all(isinstance(each, types) and not isinstance(each, bool) for each in ids):
            return pa.array([str(each) for each in ids], pa.string()), kind
    raise DataError(f"{path}: {name} must be all integers or all strings to be written")


def _from_strings(column: pa.ChunkedArray, kind: bytes | None) -> np.ndarray:
    restore: Callable[[str], Any] = int if kind == b"integer" else str
    return object_array([restore(each) for each in column.to_pylist()])
