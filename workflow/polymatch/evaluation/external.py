"""Whose a foreign similarity matrix is: which item each row stands for, which text each column.

A matrix of this data set's test split is put into the split's own order, so that a paired test is
over the same queries; captions of equal text are one query there, and the first of them in the
split's order that the matrix has stands for it. A matrix of another data set stays as it is, a
query for each column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polymatch.errors import DataError
from polymatch.evaluation.matrices import Ids, read_ids
from polymatch.settings.external import ExternalSettings

Shape = tuple[int, int]


class Gallery(NamedTuple):
    """A split as it is evaluated.

    Attributes:
        item_ids: [n] its items.
        positives: [m] for each of its queries the items that the text names.
        query_of: caption id -> its query, for every caption of the split, in the split's order.
    """

    item_ids: Sequence[str]
    positives: Sequence[Sequence[str]]
    query_of: Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """How a matrix [N, M] in a file is to be read.

    Attributes:
        row_names: [N] item ids of the rows as they are in the file.
        column_names: [M] captions of the columns as they are in the file, to name them in messages.
        rows: [n] the rows that are ranked, in their order.
        columns: [m] the columns that are ranked, in their order.
        item_ids: [n] ids of the rows in that order.
        caption_item_ids: [m] for each column in that order its item's id, or those of all items.
    """

    row_names: Sequence[str]
    column_names: Sequence[str]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    item_ids: Sequence[str]
    caption_item_ids: Sequence[Any]

    @property
    def dropped(self) -> int:
        """Columns that are not ranked, since they repeat a text."""
        return len(self.column_names) - len(self.columns)


def layout_of(
    settings: ExternalSettings, shape: Shape, where: str, gallery: Gallery | None = None
) -> Layout:
    """Layout of the matrix that an entry of the configuration describes; reads its id files.

    Args:
        settings: the entry.
        shape: of the matrix in the file.
        where: the file, for messages.
        gallery: the test split, for a matrix of this data set.

    Raises:
        DataError: as of :func:`split_layout` and :func:`foreign_layout`, or of an id file.
    """
    ids = {key: read_ids(path) for key, path in settings.id_files.items()}
    if settings.own:
        if gallery is None:
            raise DataError(f"{where}: a matrix of {_SPLIT} needs the split's tables")
        return split_layout(shape, where, gallery, ids.get("items"), ids.get("captions"))
    return foreign_layout(
        shape, where, ids.get("items"), ids.get("caption_items"), settings.captions_per_item or 1
    )


def split_layout(
    shape: Shape,
    where: str,
    gallery: Gallery,
    items: Ids | None = None,
    captions: Ids | None = None,
) -> Layout:
    """Layout of a matrix of this data set's test split, brought into the split's order.

    Args:
        shape: of the matrix in the file.
        where: the file, for messages.
        gallery: the split.
        items: ids of the rows; the split's own order if not given.
        captions: caption ids of the columns; if not given, the split's queries or, where there are
            as many columns as that, all its captions, in its own order.

    Raises:
        DataError: shape and ids contradict each other; ids repeat, are unknown or are lacking.
    """
    first_of: dict[int, str] = {}
    for caption, query in gallery.query_of.items():
        first_of.setdefault(query, caption)
    texts = [first_of[query] for query in range(len(gallery.positives))]
    every = list(gallery.query_of)
    rows = items or Ids(_SPLIT, list(gallery.item_ids))
    columns = captions or Ids(_SPLIT, every if shape[1] == len(every) else texts)
    _check_shape(shape, where, rows, columns)
    row_of = _positions(rows, "item")
    column_of = _positions(columns, "caption")
    _check_known(rows, set(gallery.item_ids), f"items of {_SPLIT}")
    _check_known(columns, gallery.query_of, f"captions of {_SPLIT}")
    chosen: dict[int, int] = {}
    for caption, query in gallery.query_of.items():
        if caption in column_of:
            chosen.setdefault(query, column_of[caption])
    _check_whole(where, "items", gallery.item_ids, row_of)
    _check_whole(where, "texts", texts, {texts[query] for query in chosen})
    return Layout(
        rows.ids,
        columns.ids,
        np.array([row_of[item] for item in gallery.item_ids], np.int64),
        np.array([chosen[query] for query in range(len(texts))], np.int64),
        gallery.item_ids,
        gallery.positives,
    )


def foreign_layout(
    shape: Shape,
    where: str,
    items: Ids | None = None,
    caption_items: Ids | None = None,
    captions_per_item: int = 1,
) -> Layout:
    """Layout of a matrix of another data set, which stays in its own order.

    Args:
        shape: of the matrix in the file.
        where: the file, for messages.
        items: ids of the rows; if not given, the ids of ``caption_items`` in order of first
            appearance or, without them, the rows' numbers.
        caption_items: the id of each column's item.
        captions_per_item: without ``caption_items``, columns are so many captions of each row.

    Raises:
        DataError: shape and ids contradict each other; ids repeat, or an item has no caption.
    """
    if caption_items is None:
        # Of a matrix that is transposed the rows' number is where its columns' should be.
        turned = captions_per_item > 1 and shape[0] == captions_per_item * shape[1]
        rows = items or Ids(f"{where} itself", [str(row) for row in range(shape[turned])])
        owners = [item for item in rows.ids for _ in range(captions_per_item)]
        columns = Ids(f"{captions_per_item} for each of {len(rows.ids)} items", owners)
    else:
        columns = caption_items
        rows = items or Ids(f"{columns.source}, each once,", list(dict.fromkeys(columns.ids)))
    _check_shape(shape, where, rows, columns)
    row_of = _positions(rows, "item")
    _check_known(columns, row_of, f"items of {rows.source}")
    captioned = set(columns.ids)
    if lacking := [item for item in rows.ids if item not in captioned]:
        raise DataError(
            f"{columns.source}: {len(lacking)} of {len(rows.ids)} items have no caption, e.g. "
            f"{_named(lacking)}; leave their rows out of the matrix"
        )
    numbers: Counter[str] = Counter()
    names = []
    for item in columns.ids:
        names.append(f"{item}#{numbers[item]}")
        numbers[item] += 1
    return Layout(rows.ids, names, np.arange(shape[0]), np.arange(shape[1]), rows.ids, columns.ids)


_SPLIT = "this data set's test split"


def _check_shape(shape: Shape, where: str, rows: Ids, columns: Ids) -> None:
    expected = (len(rows.ids), len(columns.ids))
    if shape == expected:
        return
    if shape == expected[::-1]:
        raise DataError(
            f"{where}: has shape {shape}, which is captions x items; expected is items x captions, "
            f"{expected}: save matrix.T"
        )
    wrong = int(shape[0] == expected[0])
    what, source = ("columns", columns.source) if wrong else ("rows", rows.source)
    raise DataError(
        f"{where}: has {shape[wrong]} {what}, but {source} has {expected[wrong]} ids; items x "
        f"captions = {expected} is expected, the matrix has {shape}"
    )


def _positions(ids: Ids, what: str) -> dict[str, int]:
    """Id -> its row or column; each has one."""
    position = {each: place for place, each in enumerate(ids.ids)}
    if len(position) < len(ids.ids):
        twice, number = Counter(ids.ids).most_common(1)[0]
        hint = "; a file with a line for each caption is `caption_items`" if what == "item" else ""
        raise DataError(f"{ids.source}: {what} {twice!r} occurs {number} times{hint}")
    return position


def _check_known(ids: Ids, known: Collection[str], those: str) -> None:
    if unknown := [each for each in ids.ids if each not in known]:
        raise DataError(
            f"{ids.source}: {len(unknown)} of {len(ids.ids)} ids are no {those}, e.g. "
            f"{_named(unknown)}"
        )


def _check_whole(where: str, what: str, wanted: Sequence[str], there: Collection[str]) -> None:
    if lacking := [each for each in wanted if each not in there]:
        raise DataError(
            f"{where}: lacks {len(lacking)} of the {len(wanted)} {what} of {_SPLIT}, e.g. "
            f"{_named(lacking)}; score the whole split"
        )


def _named(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:3]))
