"""Figures against right answers found afterwards: ECCV Caption and Crisscrossed Captions.

A data set of pictures with captions holds more right pairs than it was made of. ECCV Caption (Chun
et al., "ECCV Caption: correcting false negatives by collecting machine-and-human-verified
image-caption associations for MS-COCO", ECCV 2022) is measured by mAP@R, R-precision and R@1, R
being the number of a query's right answers: mAP@R is the sum, over the right answers among the
first R, of the precision at their rank, divided by R (Musgrave et al., "A metric learning reality
check", ECCV 2020). Crisscrossed Captions (Parekh et al., EACL 2021) is measured by recalls.

Decisions: ties are broken at random in expectation; only queries with an annotated right answer in
the gallery are counted, and only right answers in the gallery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.counting import (
    Counts,
    Similarity,
    Thresholds,
    count_candidates,
    default_threads,
    is_tensor,
    pair_values,
    sorted_thresholds,
)
from polymatch.evaluation.query_ranks import RetrievalRanks
from polymatch.evaluation.ranks import among_positives, direction_ranks


class Annotation(NamedTuple):
    """Right answers by id; the two directions need not mirror each other."""

    captions_of_item: Mapping[str, Iterable[str]]
    items_of_caption: Mapping[str, Iterable[str]]


REPORTED: dict[str, tuple[tuple[int, ...], bool]] = {
    "eccv": ((1,), True),
    "cxc": ((1, 5, 10), False),
}
"""Which figures each annotation's paper reports: recalls, and whether those at R."""


def add_annotated(
    ranks: RetrievalRanks,
    similarity: Similarity,
    answers: Mapping[str, tuple[Mapping, Mapping] | None],
    item_ids: Sequence[str],
    caption_columns: Mapping[str, int],
    *,
    threads: int | None = None,
) -> RetrievalRanks:
    """The same ranks with the figures of ``eccv`` and ``cxc`` where there are ``answers``.

    Errors are those of :func:`annotated_figures`, with the annotation's name before.
    """
    item_rows = {item: row for row, item in enumerate(item_ids)}
    for name, annotation in answers.items():
        if annotation is None:
            continue
        recall_at, at_r = REPORTED[name]
        try:
            found = annotated_figures(
                similarity,
                Annotation(*annotation),
                item_rows,
                caption_columns,
                recall_at=recall_at,
                at_r=at_r,
                threads=threads,
            )
        except DataError as error:
            raise DataError(f"evaluation.{name}: {error}") from error
        figures = {
            f"{direction}_{name}_{kind}": values
            for column, values in found.items()
            for direction, _, kind in [column.partition("_")]
        }
        ranks = ranks.with_further(figures)
    return ranks


def annotated_figures(
    similarity: Similarity,
    annotation: Annotation,
    item_rows: Mapping[str, int],
    caption_columns: Mapping[str, int],
    *,
    recall_at: Sequence[int] = (1,),
    at_r: bool = True,
    threads: int | None = None,
) -> dict[str, np.ndarray]:
    """Percentages of every query, NaN for one without an annotated right answer in the gallery.

    Args:
        similarity: items x captions, [N, M], larger is better; NumPy or torch.
        annotation: the right answers.
        item_rows: row of each item id.
        caption_columns: column of each caption id; several ids may share one.
        recall_at: recalls that are wanted.
        at_r: whether mAP@R and R-precision are.
        threads: CPU threads; torch's number where torch is loaded, else all, if not given.

    Returns:
        ``t2v_r<k>`` [M] and ``v2t_r<k>`` [N] for each recall and, with ``at_r``, the same of
        ``map_r`` and ``rprecision``.

    Raises:
        DataError: in one direction no annotated pair is in the gallery.
        NumericsError: a similarity is NaN or infinite.
    """
    if not is_tensor(similarity):
        similarity = np.asarray(similarity)
    n_items, n_captions = similarity.shape
    rows, columns = annotated_pairs(annotation.captions_of_item, item_rows, caption_columns, "item")
    by_item = sorted_thresholds(rows, pair_values(similarity, rows, columns), n_items, n_captions)
    columns, rows = annotated_pairs(
        annotation.items_of_caption, caption_columns, item_rows, "caption"
    )
    values = pair_values(similarity, rows, columns)
    by_caption = sorted_thresholds(columns, values, n_captions, n_items)
    of_items, of_captions = count_candidates(
        similarity, by_item, by_caption, threads=threads or default_threads()
    )
    found: dict[str, np.ndarray] = {}
    for direction, thresholds, counts in (
        ("t2v", by_caption, of_captions),
        ("v2t", by_item, of_items),
    ):
        figures = direction_figures(thresholds, counts, recall_at, at_r)
        found |= {f"{direction}_{name}": each for name, each in figures.items()}
    return found


def direction_figures(
    thresholds: Thresholds, counts: Counts, recall_at: Sequence[int], at_r: bool
) -> dict[str, np.ndarray]:
    """The figures of one direction's queries, from the counts at their right answers."""
    asked = np.flatnonzero(thresholds.number > 0)
    queries = list(range(len(thresholds.number)))
    if not len(asked):
        names = [f"r{k}" for k in recall_at] + (["map_r", "rprecision"] if at_r else [])
        return {name: np.full(len(queries), np.nan) for name in names}
    ranks = direction_ranks(thresholds, counts, queries, queries)
    shares = {f"r{k}": ranks.hits(k) for k in recall_at}
    if at_r:
        shares |= _within_r(thresholds, counts, asked)
    found: dict[str, np.ndarray] = {}
    for name, share in shares.items():
        found[name] = np.full(len(queries), np.nan)
        found[name][asked] = 100.0 * share
    return found


def annotated_pairs(
    answers: Mapping[str, Iterable[str]],
    query_place: Mapping[str, int],
    candidate_place: Mapping[str, int],
    kind: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the queries and candidates of all annotated pairs in the gallery, [P] each."""
    pairs = {
        (query_place[query], candidate_place[candidate])
        for query, candidates in answers.items()
        if query in query_place
        for candidate in candidates
        if candidate in candidate_place
    }
    if not pairs:
        example = next(iter(answers), None)
        raise DataError(
            f"none of the {len(answers)} annotated {kind}s (the first is {example!r}) is in the "
            f"gallery together with a right answer; ids there look like {next(iter(query_place))!r}"
        )
    listed = np.array(sorted(pairs), np.intp)
    return listed[:, 0], listed[:, 1]


def _within_r(thresholds: Thresholds, counts: Counts, asked: np.ndarray) -> dict[str, np.ndarray]:
    """mAP@R and R-precision of the queries that were asked, in [0, 1].

    A right answer of a tied group of n candidates that starts after c others, r of the n right,
    stands at each place j of it with probability 1 / n, and on average (j - c - 1)(r - 1)/(n - 1)
    right ones of the group stand before it. Summed over the places up to R.
    """
    first = thresholds.start[:-1][asked]
    number = np.repeat(thresholds.number, thresholds.number)
    above, equal = counts.above, counts.equal
    right_above, right_equal = among_positives(thresholds)
    last = np.clip(number, above, above + equal)  # the last place of the group within R
    share = (right_equal - 1.0) / np.maximum(equal - 1.0, 1.0)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, last.max() + 1))])
    precision = (right_above + 1.0 - (above + 1.0) * share) * (harmonic[last] - harmonic[above])
    precision = (precision + share * (last - above)) / equal
    own = thresholds.number[asked]
    return {
        "map_r": np.add.reduceat(precision, first) / own,
        "rprecision": np.add.reduceat((last - above) / equal, first) / own,
    }
