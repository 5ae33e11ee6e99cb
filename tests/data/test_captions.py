"""Captions become queries: one for each distinct text, with all that it names."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.captions import merge_queries, normal_text, select_kinds
from polymatch.errors import ConfigError


def captions(*rows: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["item_id", "text"])
    return frame.assign(caption_id=[f"c{i}" for i in range(len(rows))], kind="name")


def test_equal_texts_are_one_query_with_all_positives():
    queries = merge_queries(
        captions(("a", "Red Heart"), ("b", "moon"), ("c", " red  heart"), ("a", "red heart"))
    )
    assert queries.texts == ["Red Heart", "moon"]
    assert queries.caption_ids == ["c0", "c1"]
    assert queries.positives == [("a", "c"), ("b",)]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "X ", "y z", "y  Z", "ß", "SS"]))
    )
)
def test_queries_against_the_obvious_form(rows):
    queries = merge_queries(captions(*rows))
    distinct = list(dict.fromkeys(normal_text(text) for _, text in rows))
    assert [normal_text(text) for text in queries.texts] == distinct
    for text, positives in zip(distinct, queries.positives, strict=True):
        named = [item for item, other in rows if normal_text(other) == text]
        assert positives == tuple(dict.fromkeys(named))


def test_kinds_are_selected_in_order():
    frame = captions(("a", "x"), ("b", "y"), ("c", "z")).assign(kind=["name", "keyword", "name"])
    chosen = select_kinds(frame, ["name"])
    assert chosen["item_id"].tolist() == ["a", "c"] and chosen.index.tolist() == [0, 1]
    assert len(select_kinds(frame, ["keyword", "name"])) == 3


def test_unknown_kind():
    with pytest.raises(ConfigError, match=r"caption kind 'nmae' is unknown .*has: name"):
        select_kinds(captions(("a", "x")), ["name", "nmae"])
