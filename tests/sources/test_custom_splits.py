"""Splits of one's own data: drawn the same way every time, and equal files never apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.sources.custom_splits import grouped, split_items
from polymatch.sources.given_arrays import lowest

from .custom_examples import data, names, prepared, write_folder, write_table

HERE = Path("mine")

items = st.dictionaries(
    st.text("abcdef0123", min_size=1, max_size=4), st.integers(0, 12), min_size=8, max_size=40
)
shares = st.floats(0.05, 0.4)


@given(items, shares, shares, st.randoms(use_true_random=False))
def test_drawn_splits_keep_groups_and_do_not_depend_on_order(numbers, val, test, random):
    groups = {item: f"g{number}" for item, number in numbers.items()}
    if len(set(groups.values())) < 5:
        return
    splits = split_items(dict.fromkeys(groups, ""), groups, HERE, val, test)
    shuffled = random.sample(sorted(groups), len(groups))
    assert splits == split_items(dict.fromkeys(shuffled, ""), groups, HERE, val, test)
    of_group = {
        group: {splits[i] for i in groups if groups[i] == group} for group in groups.values()
    }
    assert all(len(found) == 1 for found in of_group.values())
    # The obvious twin: the lowest hashes are test, the lowest of the rest val.
    tested = lowest(sorted(of_group), test)
    valued = lowest(sorted(set(of_group) - tested), val)
    for group, found in of_group.items():
        assert found == {"test" if group in tested else "val" if group in valued else "train"}


@given(items, st.sampled_from([("train",), ("train", "test"), ("train", "val")]))
def test_only_what_is_not_given_is_drawn_and_only_from_train(numbers, given_splits):
    groups = {item: item for item in numbers}
    splits = {item: given_splits[number % len(given_splits)] for item, number in numbers.items()}
    if list(splits.values()).count("train") < 3:
        return
    drawn = split_items(splits, groups, HERE, 0.2, 0.2)
    assert set(drawn.values()) == {"train", "val", "test"} | set(splits.values())
    assert all(drawn[i] == own for i, own in splits.items() if own != "train")
    whole = ("train", "val", "test")
    full = {item: whole[row % 3] for row, item in enumerate(numbers)}
    assert split_items(full, groups, HERE, 0.2, 0.2) == full


@given(st.lists(st.sampled_from(["", "g1", "g2", "g3"]), min_size=1, max_size=12))
def test_groups_that_are_given_are_kept(named):
    of_item = {f"item{row:02}": group for row, group in enumerate(named)}
    groups, problems = grouped({}, of_item, dict.fromkeys(of_item, ""), HERE)
    assert groups == {item: group or item for item, group in of_item.items()} and not problems


def test_equal_files_are_one_group_and_join_the_groups_that_they_are_in(tmp_path):
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"two!", "e": b"six"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = {name: name for name in contents}
    own = dict.fromkeys(contents, "") | {"c": "z", "e": "z"}
    groups, _ = grouped(paths, own, dict.fromkeys(contents, ""), tmp_path)
    assert groups == {"a": "z", "b": "b", "c": "z", "d": "d", "e": "z"}


def test_of_large_files_three_parts_are_compared(tmp_path):
    size = 65 << 20
    for name, place in {"a": None, "b": None, "c": 0, "d": size // 2, "e": size - 1}.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
            if place is not None:
                file.seek(place)
                file.write(b"x")
    named = dict.fromkeys("abcde", "")
    groups, _ = grouped({name: name for name in named}, named, named, tmp_path)
    assert groups == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "e"}


def test_copies_of_a_picture_share_its_split(tmp_path):
    root = write_folder(tmp_path / "set")
    for row, name in enumerate(names()):
        for copy in range(3):
            shutil.copy(root / f"{name}.png", root / f"copy{copy}of{row}.png")
            (root / f"copy{copy}of{row}.txt").write_text("a copy")
    manifest = prepared(data(root)).manifest
    of_group = manifest.groupby("group_id")
    assert of_group.ngroups == 24 and of_group.size().eq(4).all()
    assert of_group["split"].nunique().eq(1).all()
    assert manifest["split"].value_counts().to_dict() == {"train": 80, "val": 8, "test": 8}


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_items_to_draw_from(count, tmp_path):
    with pytest.raises(DataError) as raised:
        prepared(data(write_table(tmp_path / "set", count)))
    assert str(raised.value) == (
        f"{tmp_path}/set: {count} different items are too few to draw test from and leave some "
        "for train; add items, or give the splits"
    )


def test_three_items_are_one_of_each(tmp_path):
    manifest = prepared(data(write_table(tmp_path / "set", 3))).manifest
    assert sorted(manifest["split"]) == ["test", "train", "val"]


def test_items_with_and_without_a_split():
    with pytest.raises(DataError) as raised:
        split_items({"a": "train", "b": ""}, {"a": "a", "b": "b"}, HERE, 0.1, 0.1)
    assert str(raised.value) == (
        "mine: item 'b' has no split, but others have; give every item one, or none"
    )
