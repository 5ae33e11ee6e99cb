"""Whose a foreign matrix is: any order scores as the split's own, and contradictions are named."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.evaluation import retrieval_ranks
from polymatch.evaluation.external import Gallery, foreign_layout, layout_of, split_layout
from polymatch.evaluation.matrices import Ids
from polymatch.settings.external import ExternalSettings

ITEMS = ["a", "b", "c"]
# Captions 1 and 3 read the same: one query with two positives.
GALLERY = Gallery(ITEMS, [("a", "b"), ("c",), ("b",)], {"1": 0, "2": 1, "3": 0, "4": 2})
M = "m.npy"


def ids(*names, source="ids.txt"):
    return Ids(source, list(names))


def picked(matrix, layout):
    return matrix[layout.rows][:, layout.columns]


def test_rows_and_columns_come_into_the_order_of_the_split():
    matrix = np.arange(12).reshape(3, 4)
    layout = split_layout((3, 4), M, GALLERY, ids("c", "a", "b"), ids("4", "3", "2", "1"))
    assert picked(matrix, layout).tolist() == [[7, 6, 4], [11, 10, 8], [3, 2, 0]]
    assert layout.item_ids == ITEMS and layout.caption_item_ids == GALLERY.positives
    assert layout.dropped == 1  # caption 3 repeats caption 1


def test_a_repeated_text_stands_for_its_query_where_the_first_is_not_there():
    layout = split_layout((3, 3), M, GALLERY, captions=ids("2", "3", "4"))
    assert layout.columns.tolist() == [1, 0, 2] and layout.dropped == 0


@pytest.mark.parametrize(("columns", "expected"), [(3, [0, 1, 2]), (4, [0, 1, 3])])
def test_without_ids_columns_are_the_queries_or_all_captions(columns, expected):
    assert split_layout((3, columns), M, GALLERY).columns.tolist() == expected


@given(st.integers(1, 8), st.integers(1, 20), st.randoms())
def test_any_order_gives_the_ranks_of_the_splits_own(n, m, random):
    draw = np.random.default_rng(random.randrange(2**32))
    items = [f"i{row}" for row in range(n)]
    owner = np.concatenate([np.arange(n), draw.integers(0, n, m)])
    positives = [(items[row],) for row in owner]
    query_of = {f"c{query}": query for query in range(len(owner))}
    scores = draw.integers(0, 5, (n, len(owner))).astype(np.float32)
    rows, columns = draw.permutation(n), draw.permutation(len(owner))
    layout = split_layout(
        scores.shape,
        M,
        Gallery(items, positives, query_of),
        ids(*(items[row] for row in rows)),
        ids(*(f"c{column}" for column in columns)),
    )
    shuffled = scores[rows][:, columns]
    np.testing.assert_array_equal(picked(shuffled, layout), scores)
    found = retrieval_ranks(picked(shuffled, layout), layout.item_ids, layout.caption_item_ids)
    expected = retrieval_ranks(scores, items, positives)
    for direction in ("t2v", "v2t"):
        np.testing.assert_array_equal(
            found.expected_rank(direction), expected.expected_rank(direction)
        )
        np.testing.assert_array_equal(found.clusters(direction), expected.clusters(direction))


SPLIT = "this data set's test split"


@pytest.mark.parametrize(
    ("shape", "items", "captions", "message"),
    [
        (
            (4, 3),
            None,
            ids("1", "2", "3", "4"),
            "m.npy: has shape (4, 3), which is captions x items; expected is items x captions, "
            "(3, 4): save matrix.T",
        ),
        (
            (3, 5),
            None,
            None,
            f"m.npy: has 5 columns, but {SPLIT} has 3 ids; items x captions = (3, 3) is expected, "
            "the matrix has (3, 5)",
        ),
        (
            (3, 4),
            ids("a", "b"),
            None,
            "m.npy: has 3 rows, but ids.txt has 2 ids; items x captions = (2, 4) is expected",
        ),
        (
            (3, 4),
            None,
            ids("1", "2", "3"),
            "m.npy: has 4 columns, but ids.txt has 3 ids; items x captions = (3, 3) is expected",
        ),
        (
            (3, 3),
            ids("a", "b", "x"),
            None,
            f"ids.txt: 1 of 3 ids are no items of {SPLIT}, e.g. 'x'",
        ),
        (
            (3, 4),
            None,
            ids("1", "8", "9", "2"),
            f"ids.txt: 2 of 4 ids are no captions of {SPLIT}, e.g. '8', '9'",
        ),
        (
            (3, 3),
            ids("a", "b", "b"),
            None,
            "ids.txt: item 'b' occurs 2 times; a file with a line for each caption is "
            "`caption_items`",
        ),
        ((3, 4), None, ids("1", "1", "2", "4"), "ids.txt: caption '1' occurs 2 times"),
        (
            (1, 3),
            ids("b"),
            None,
            f"m.npy: lacks 2 of the 3 items of {SPLIT}, e.g. 'a', 'c'; score the whole split",
        ),
        (
            (3, 2),
            None,
            ids("3", "2"),
            f"m.npy: lacks 1 of the 3 texts of {SPLIT}, e.g. '4'; score the whole split",
        ),
    ],
)
def test_what_contradicts_the_split_is_named(shape, items, captions, message):
    with pytest.raises(DataError, match=re.escape(message)):
        split_layout(shape, M, GALLERY, items, captions)


def test_a_file_with_a_line_for_each_caption_tells_rows_too():
    layout = foreign_layout((2, 4), M, caption_items=ids("x", "x", "y", "x"))
    assert layout.item_ids == ["x", "y"]
    assert layout.caption_item_ids == ["x", "x", "y", "x"]
    assert layout.column_names == ["x#0", "x#1", "y#0", "x#2"]
    assert layout.rows.tolist() == [0, 1] and layout.dropped == 0


def test_captions_in_order_need_no_file():
    layout = foreign_layout((2, 6), M, captions_per_item=3)
    assert layout.item_ids == ["0", "1"]
    assert layout.caption_item_ids == ["0", "0", "0", "1", "1", "1"]
    assert foreign_layout((1, 2), M, ids("x"), captions_per_item=2).caption_item_ids == ["x", "x"]


@pytest.mark.parametrize(
    ("shape", "items", "caption_items", "each", "message"),
    [
        (
            (10, 2),
            None,
            None,
            5,
            "m.npy: has shape (10, 2), which is captions x items; expected is items x captions, "
            "(2, 10): save matrix.T",
        ),
        (
            (2, 9),
            None,
            None,
            5,
            "m.npy: has 9 columns, but 5 for each of 2 items has 10 ids; items x captions = ",
        ),
        (
            (2, 4),
            None,
            ids("x", "y", "z", "x"),
            1,
            "m.npy: has 2 rows, but ids.txt, each once, has 3 ids; items x captions = (3, 4) is",
        ),
        (
            (2, 3),
            ids("x", "y"),
            ids("x", "y", "z", source="captions.txt"),
            1,
            "captions.txt: 1 of 3 ids are no items of ids.txt, e.g. 'z'",
        ),
        (
            (2, 2),
            ids("x", "y"),
            ids("x", "x", source="captions.txt"),
            1,
            "captions.txt: 1 of 2 items have no caption, e.g. 'y'; leave their rows out of the",
        ),
        ((2, 2), ids("x", "x"), None, 1, "ids.txt: item 'x' occurs 2 times"),
    ],
)
def test_what_contradicts_itself_is_named(shape, items, caption_items, each, message):
    with pytest.raises(DataError, match=re.escape(message)):
        foreign_layout(shape, M, items, caption_items, each)


def test_an_entry_names_the_files(tmp_path):
    for name, lines in (("items", "b\nc\na\n"), ("captions", "1\n2\n4\n"), ("owners", "x\nx\ny")):
        (tmp_path / name).write_text(lines)
    own = {"items": f"{tmp_path}/items", "captions": f"{tmp_path}/captions"}
    layout = layout_of(ExternalSettings(similarity=[M], **own), (3, 3), M, GALLERY)
    assert layout.rows.tolist() == [2, 0, 1]
    foreign = ExternalSettings(similarity=[M], caption_items=f"{tmp_path}/owners")
    assert layout_of(foreign, (2, 3), M).item_ids == ["x", "y"]
    each = ExternalSettings(similarity=[M], captions_per_item=2)
    assert layout_of(each, (3, 6), M).caption_item_ids == ["0", "0", "1", "1", "2", "2"]
    with pytest.raises(DataError, match=r"a matrix of this data set's test split needs the spl"):
        layout_of(ExternalSettings(similarity=[M]), (3, 3), M)
