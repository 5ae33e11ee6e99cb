"""Concept tags of items: which lemmas are tags, how often each item has them, and the targets.

Source: Dual Encoding (Dong et al., TPAMI 2021, section 3.3), with the preparation of Dual
Encoding++. The commonest lemmas of train's captions are the tags; an item has those that are often
enough in its own captions, and the target of a tag is its count over the item's largest.

Deviations: the published file has train's items alone; here val's are in it too, since the loss is
computed on val as well (their captions never make a tag). An item without any tag stops the
published training in the middle of an epoch; here it is named at once, or left out of that loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.data.captions import select_kinds
from polymatch.data.tables import read_table
from polymatch.data.tag_files import Counts, read_annotations, read_tag_vocabulary
from polymatch.errors import DataError
from polymatch.settings.tags import TagsSettings


class Tagged(NamedTuple):
    """A data set's tags.

    Attributes:
        vocabulary: the tags, in the order of their numbers.
        counts: every item of train and val that is trained with, in the manifest's order.
        untagged: those without a tag: item_id, split, caption (the first one).
    """

    vocabulary: list[str]
    counts: Counts
    untagged: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """The same as rows: item_id, tag, count."""
        rows = [
            (item_id, tag, count)
            for item_id, tags in self.counts.items()
            for tag, count in tags.items()
        ]
        table = pd.DataFrame(rows, columns=["item_id", "tag", "count"])
        return table.astype({"item_id": "str", "tag": "str", "count": "int64"})


def tag_items(
    manifest: pd.DataFrame,
    captions: pd.DataFrame,
    kinds: Sequence[str],
    settings: TagsSettings,
    lemmas: Callable[[str], list[str]],
) -> Tagged:
    """Make a data set's tags, from its captions or from published files.

    Args:
        manifest: item_id, split. captions: item_id, text, kind, in the order that breaks ties.
        kinds: of the captions that are counted.
        settings: what is given, and the bounds.
        lemmas: those of a caption, in order.

    Raises:
        DataError: a published file is wrong, or has a tag that the vocabulary lacks; no lemma is
            common enough; an item of train has no tag and may not be left out, or none has any.
    """
    captions = select_kinds(captions, kinds)
    splits = manifest.loc[manifest["split"].isin(["train", "val"])].set_index("item_id")["split"]
    captions = captions[captions["item_id"].isin(splits.index)]
    first = captions.drop_duplicates("item_id").set_index("item_id")["text"]
    said: dict[str, list[str]] = {item: [] for item in splits.index if item in first.index}
    in_train: list[str] = []
    if settings.vocabulary is None or settings.annotations is None:
        for item_id, text in zip(captions["item_id"], captions["text"], strict=True):
            found = lemmas(text)
            said[item_id] += found
            in_train += found if splits[item_id] == "train" else []
    if settings.vocabulary is None:
        vocabulary = commonest(in_train, settings.size, settings.min_count)
    else:
        vocabulary = read_tag_vocabulary(settings.vocabulary)
    if settings.annotations is None:
        counts = count_tags(said, vocabulary, settings.min_item_count)
    else:
        given = read_annotations(settings.annotations)
        counts = {item_id: given.get(item_id, {}) for item_id in said}
        _refuse_unknown(counts, vocabulary, settings)
    without = [item_id for item_id, tags in counts.items() if not tags]
    columns = [pd.Series(without), splits[without], first[without]]
    names = ("item_id", "split", "caption")
    untagged = pd.DataFrame(
        {n: column.to_numpy() for n, column in zip(names, columns, strict=True)}, dtype="str"
    )
    _refuse_untagged(untagged, (splits[list(counts)] == "train").sum(), settings)
    return Tagged(vocabulary, counts, untagged)


def commonest(lemmas: Iterable[str], size: int, min_count: int) -> list[str]:
    """The ``size`` commonest of ``lemmas`` that are there ``min_count`` times; ties as they appear.

    Raises:
        DataError: none is.
    """
    counted = Counter(lemmas).most_common(size)
    tags = [tag for tag, count in counted if count >= min_count]
    if not tags:
        raise DataError(
            f"no noun, verb or adjective is {min_count} times in train's captions; lower "
            "`tags.min_count`"
        )
    return tags


def count_tags(
    lemmas: Mapping[str, Sequence[str]], vocabulary: Iterable[str], min_item_count: int
) -> Counts:
    """Which tags each item has: those ``min_item_count`` times among its lemmas, commonest first.

    >>> count_tags({"a": ["dog", "run", "dog", "run", "dog", "sun"]}, ["run", "dog", "sun"], 2)
    {'a': {'dog': 3, 'run': 2}}
    """
    known = set(vocabulary)
    return {
        item_id: {
            tag: count
            for tag, count in Counter(said).most_common()
            if count >= min_item_count and tag in known
        }
        for item_id, said in lemmas.items()
    }


def read_tags(
    tags: Path | str, vocabulary: Path | str, item_ids: Sequence[str]
) -> NDArray[np.float32]:
    """The targets of these items: [len(item_ids), C], count over the item's largest count.

    An item without tags has zeros.

    Args:
        tags: ``tags.parquet``. vocabulary: ``tag_vocabulary.json``, with C tags.

    Raises:
        DataError: a file is missing or broken, or the table has a tag that the vocabulary lacks.
    """
    number = {tag: column for column, tag in enumerate(read_tag_vocabulary(vocabulary))}
    table = read_table(tags, "tags")
    columns = table["tag"].map(number)
    if columns.isna().any():
        row = int(columns.isna().to_numpy().argmax())
        raise DataError(
            f"{tags}: item {table['item_id'].iloc[row]!r} has the tag {table['tag'].iloc[row]!r}, "
            f"which is not in {vocabulary}; delete both and run their stage again"
        )
    shares = table["count"] / table.groupby("item_id")["count"].transform("max")
    places = pd.Series(np.arange(len(item_ids)), index=list(item_ids))
    rows = table["item_id"].map(places)
    there = rows.notna().to_numpy()
    targets = np.zeros((len(item_ids), len(number)), dtype=np.float32)
    targets[rows[there].astype(int), columns[there].astype(int)] = shares[there]
    return targets


def _refuse_unknown(counts: Counts, vocabulary: list[str], settings: TagsSettings) -> None:
    known = set(vocabulary)
    for item_id, tags in counts.items():
        for tag in tags:
            if tag not in known:
                where = settings.vocabulary or "the tags built from train's captions"
                raise DataError(
                    f"{settings.annotations}: item {item_id!r} has the tag {tag!r}, which is not "
                    f"in {where}; give the `tag_vocab.json` that goes with it (`tags.vocabulary`)"
                )


def _refuse_untagged(untagged: pd.DataFrame, trained: int, settings: TagsSettings) -> None:
    names = untagged.loc[untagged["split"] == "train", "item_id"].tolist()
    if not names or (settings.untagged == "leave_out" and len(names) < trained):
        return
    if settings.annotations is not None:
        why = f"has no tag in {settings.annotations}"
        remedy = "add its line there"
    else:
        why = (
            f"has no tag: nothing that is {settings.min_item_count} times in its captions is one "
            "of the tags"
        )
        remedy = "lower `tags.min_item_count`, raise `tags.size`"
    if settings.untagged == "leave_out":
        raise DataError(f"item {names[0]!r} of train {why}, and neither has any other; {remedy}")
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    raise DataError(
        f"item {names[0]!r} of train{others} {why}; {remedy}, or leave such items out of the loss "
        "of concepts (`tags.untagged: leave_out`)"
    )
