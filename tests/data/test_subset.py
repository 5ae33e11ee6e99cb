"""Part of a split: whole items, no more captions than asked for, the same every time."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.splits import SplitReader
from polymatch.data.subset import with_captions
from polymatch.errors import DataError

NOWHERE = Path("never read")


def reader(counts, others=3):
    """Items of train with so many names each (and a keyword), and items of val."""
    items = [f"t{n}" for n in range(len(counts))]
    manifest = pd.DataFrame(
        {
            "item_id": [*items, *(f"v{n}" for n in range(others))],
            "split": ["train"] * len(items) + ["val"] * others,
        }
    )
    rows = [(item, "name") for item, n in zip(items, counts, strict=True) for _ in range(n)]
    rows += [(item, "keyword") for item in items]
    rows += [(f"v{n}", "name") for n in range(others)]
    captions = pd.DataFrame(rows, columns=["item_id", "kind"])
    return SplitReader("few", manifest, captions, NOWHERE, NOWHERE)


def names_of(found, split="train"):
    items = found.manifest.loc[found.manifest["split"] == split, "item_id"]
    captions = found.captions
    return captions[captions["item_id"].isin(items) & (captions["kind"] == "name")]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(5, 60), st.integers(0, 9))
def test_whole_items_as_many_as_fit(counts, limit, seed):
    whole = reader(counts)
    found = with_captions(whole, "train", ["name"], limit, seed)
    taken = names_of(found)
    assert len(taken) == sum(counts) if sum(counts) <= limit else limit - 5 < len(taken) <= limit
    full = {f"t{n}": count for n, count in enumerate(counts)}
    assert all(full[item] == n for item, n in taken["item_id"].value_counts().items())
    assert len(names_of(found, "val")) == 3
    again = with_captions(whole, "train", ["name"], limit, seed)
    assert again.manifest.equals(found.manifest)


def test_the_seed_decides_which_items():
    whole = reader([1] * 50)
    drawn = {
        tuple(names_of(with_captions(whole, "train", ["name"], 10, seed))["item_id"])
        for seed in range(5)
    }
    assert len(drawn) == 5


def test_too_few_captions_for_one_item_is_said():
    with pytest.raises(DataError, match=r"few: the first item drawn from split 'train' has more"):
        with_captions(reader([5, 5]), "train", ["name"], 4, 0)
