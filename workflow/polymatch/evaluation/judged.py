"""Ranks with every figure that is asked for beside them, over the whole gallery and within folds.

Five folds of 1,000 are how COCO's small protocol has it since Karpathy and Fei-Fei ("Deep
visual-semantic alignments", CVPR 2015): the gallery is cut in its own order, every query is ranked
within its fold. Decision: the folds' queries are put together before any mean, so that intervals
and tests have all of them; with equally many queries a fold that is the mean over folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polymatch.errors import DataError
from polymatch.evaluation.asp import Semantic, semantic_precision_per_query
from polymatch.evaluation.counting import Similarity, is_tensor
from polymatch.evaluation.pmrp import pmrp_per_query
from polymatch.evaluation.query_ranks import RetrievalRanks, joined
from polymatch.evaluation.ranks import retrieval_ranks

Named = Sequence[Any] | np.ndarray


def judged_ranks(
    similarity: Similarity,
    item_ids: Named,
    caption_item_ids: Named,
    *,
    caption_ids: Named | None = None,
    semantic: Semantic | None = None,
    category_codes: np.ndarray | None = None,
    folds: int | None = None,
    threads: int | None = None,
) -> RetrievalRanks:
    """Rank both directions, with ``asp``, ``pmrp`` and folds where what they need is given.

    Args:
        similarity: items x captions, [N, M], larger is better; NumPy or torch.
        item_ids: [N] unique ids of the rows.
        caption_item_ids: [M]; each column's item id, or a collection of them.
        caption_ids: [M] ids of the columns; their positions if not given.
        semantic: semantic similarity [N, M] for ``asp``, as in
            :func:`polymatch.evaluation.average_semantic_precision`.
        category_codes: [N, C] of 0 and 1 for ``pmrp``; a caption has the code of the first item
            that it names.
        folds: number of equal parts that the items are cut into, for the result's ``folds``.
        threads: CPU threads; torch's number where torch is loaded, else all, if not given.

    Raises:
        DataError: shapes and ids contradict each other, a caption names no item of the gallery, or
            the items cannot be cut into so many folds.
        NumericsError: a similarity is NaN or infinite.
    """
    ranks = retrieval_ranks(
        similarity, item_ids, caption_item_ids, caption_ids=caption_ids, threads=threads
    )
    figures: dict[str, np.ndarray] = {}
    if semantic is not None:
        v2t, t2v = semantic_precision_per_query(similarity, semantic, threads=threads)
        figures |= {"t2v_asp": t2v, "v2t_asp": v2t}
    if category_codes is not None:
        row_of = {item: row for row, item in enumerate(_listed(item_ids))}
        first = [row_of[_named(each)[0]] for each in _listed(caption_item_ids)]
        found = pmrp_per_query(similarity, category_codes, first, threads=threads)
        figures |= {_column(name): each for name, each in found.items()}
    ranks = ranks.with_further(figures)
    if folds is None:
        return ranks
    within = fold_ranks(
        similarity,
        item_ids,
        caption_item_ids,
        folds,
        caption_ids=caption_ids,
        semantic=semantic,
        category_codes=category_codes,
        threads=threads,
    )
    return replace(ranks, folds=within)


def fold_ranks(
    similarity: Similarity,
    item_ids: Named,
    caption_item_ids: Named,
    folds: int,
    *,
    caption_ids: Named | None = None,
    semantic: Semantic | None = None,
    category_codes: np.ndarray | None = None,
    threads: int | None = None,
) -> RetrievalRanks:
    """Ranks of every query within its fold, the items being cut in order into ``folds`` parts.

    A caption is in the fold of its item; one that names items of several folds is in each of them.
    Arguments and errors are those of :func:`judged_ranks`.

    >>> similarity = np.array([[0.1, 0.2], [0.9, 0.3]])
    >>> fold_ranks(similarity, ["a", "b"], ["a", "b"], 2).expected_rank("t2v")
    array([1., 1.])
    """
    if not is_tensor(similarity):
        similarity = np.asarray(similarity)
    items, captions = _listed(item_ids), [_named(each) for each in _listed(caption_item_ids)]
    refuse_folds(len(items), folds)
    names = list(range(len(captions))) if caption_ids is None else _listed(caption_ids)
    height = len(items) // folds
    parts = []
    for top in range(0, len(items), height):
        own = dict.fromkeys(items[top : top + height])
        inside = [[item for item in named if item in own] for named in captions]
        columns = np.array([column for column, named in enumerate(inside) if named], np.intp)
        rows = slice(top, top + height)
        parts.append(
            judged_ranks(
                _part(similarity, rows, columns),
                list(own),
                [inside[column] for column in columns],
                caption_ids=[names[column] for column in columns],
                semantic=None if semantic is None else _part(semantic, rows, columns),
                category_codes=None if category_codes is None else category_codes[rows],
                threads=threads,
            )
        )
    return joined(parts)


def refuse_folds(items: int, folds: int | None) -> None:
    """Raise DataError if so many items cannot be cut into ``folds`` equal parts."""
    if folds is not None and (folds < 1 or items % folds):
        divisors = [n for n in range(2, min(items, 50) + 1) if items % n == 0]
        raise DataError(
            f"{items} items cannot be cut into {folds} equal folds; choose a number that "
            f"divides them (up to 50: {', '.join(map(str, divisors)) or 'none'}) or no folds"
        )


def _part(matrix: Any, rows: slice, columns: np.ndarray) -> Any:
    """Some rows and columns; a view where these follow each other, as they mostly do."""
    if hasattr(matrix, "tocsr"):
        return matrix.tocsr()[rows][:, columns]
    if len(columns) and np.array_equal(columns, np.arange(columns[0], columns[-1] + 1)):
        return matrix[rows, columns[0] : columns[-1] + 1]
    return matrix[rows][:, columns]


def _column(name: str) -> str:
    """``v2t`` -> ``v2t_pmrp``, ``v2t_0`` -> ``v2t_pmrp_0``."""
    direction, _, threshold = name.partition("_")
    return f"{direction}_pmrp_{threshold}" if threshold else f"{direction}_pmrp"


def _named(item: Any) -> list:
    several = isinstance(item, (list, tuple, set, frozenset, np.ndarray))
    return list(item) if several else [item]


def _listed(ids: Any) -> list:
    return ids.tolist() if isinstance(ids, np.ndarray) or is_tensor(ids) else list(ids)
