"""Captions as queries: which kinds count, and which captions are really one query.

A string that names several items is one query with several positives; scored as several queries
with one positive each, every one of them but one would be wrong by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from polymatch.errors import ConfigError


class Queries(NamedTuple):
    """Distinct texts; entry q of each list is about query q.

    Attributes:
        texts: the text as it was first written.
        caption_ids: the caption that was first, whose features stand for the query.
        positives: the item ids that the text names, in order of first appearance.
    """

    texts: list[str]
    caption_ids: list[str]
    positives: list[tuple[str, ...]]


def select_kinds(captions: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """Keep the captions of ``kinds``, in their order, with a fresh index.

    Raises:
        ConfigError: no caption is of one of the kinds asked for.
    """
    there = set(captions["kind"].unique())
    for kind in kinds:
        if kind not in there:
            raise ConfigError(
                f"caption kind {kind!r} is unknown (the data set has: {', '.join(sorted(there))})"
            )
    return captions[captions["kind"].isin(list(kinds))].reset_index(drop=True)


def merge_queries(captions: pd.DataFrame) -> Queries:
    """Make captions of equal text (but for case and spaces) one query.

    >>> merge_queries(pd.DataFrame({
    ...     "caption_id": ["1", "2", "3"], "item_id": ["a", "b", "b"],
    ...     "text": ["Red heart", "red  heart ", "love"]}))
    Queries(texts=['Red heart', 'love'], caption_ids=['1', '3'], positives=[('a', 'b'), ('b',)])
    """
    queries = Queries([], [], [])
    place: dict[str, int] = {}
    items: list[dict[str, None]] = []
    for caption_id, item_id, text in zip(
        captions["caption_id"], captions["item_id"], captions["text"], strict=True
    ):
        query = place.setdefault(normal_text(text), len(place))
        if query == len(items):
            queries.texts.append(text)
            queries.caption_ids.append(caption_id)
            items.append({})
        items[query][item_id] = None
    queries.positives.extend(tuple(named) for named in items)
    return queries


def caption_columns(
    captions: pd.DataFrame, queries: Queries, item_ids: Sequence[str]
) -> dict[str, int]:
    """Query of every caption of these items, by caption id; equal texts are one query.

    >>> rows = [("1", "a", "Red heart"), ("2", "b", "red  heart"), ("3", "c", "love")]
    >>> table = pd.DataFrame(rows, columns=["caption_id", "item_id", "text"])
    >>> caption_columns(table, Queries(["Red heart"], ["1"], [("a", "b")]), ["a", "b"])
    {'1': 0, '2': 0}
    """
    column_of = {normal_text(text): column for column, text in enumerate(queries.texts)}
    own = captions[captions["item_id"].isin(list(item_ids))]
    texts = own["text"].map(normal_text)
    known = texts.isin(list(column_of))
    return dict(zip(own["caption_id"][known], texts[known].map(column_of), strict=True))


def normal_text(text: str) -> str:
    """The form in which two texts are compared: casefolded, runs of white space made one space.

    >>> normal_text("  Straße\\tNORTH ")
    'strasse north'
    """
    return " ".join(text.casefold().split())
