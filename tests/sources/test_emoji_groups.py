"""Groups of variants and their splits."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.sources.emoji_captions import bare
from polymatch.sources.emoji_groups import base, groups, links, splits, stem


def _slow_groups(marks_of: dict[str, set[int]]) -> dict[str, str]:
    """Merge any two overlapping sets until none overlap."""
    parts = [({item_id}, set(marks)) for item_id, marks in marks_of.items()]
    merged = True
    while merged:
        merged = False
        for i, (items, marks) in enumerate(parts):
            for j in range(i + 1, len(parts)):
                if marks & parts[j][1]:
                    parts[i] = (items | parts[j][0], marks | parts[j][1])
                    del parts[j]
                    merged = True
                    break
            if merged:
                break
    return {item_id: min(items) for items, _ in parts for item_id in items}


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=3), st.sets(st.integers(0, 12), max_size=3)
    )
)
def test_groups_are_connected_components(marks_of: dict[str, set[int]]) -> None:
    assert groups({k: set(v) for k, v in marks_of.items()}) == _slow_groups(marks_of)


@given(st.lists(st.integers(1, 14), min_size=1, max_size=60))
def test_splits_fill_the_shares_and_keep_large_groups_in_train(sizes: list[int]) -> None:
    group_of = {f"{g}-{i}": f"group {g}" for g, size in enumerate(sizes) for i in range(size)}
    split_of = splits(group_of)
    assert set(split_of) == set(group_of.values())
    assert all(split_of[f"group {g}"] == "train" for g, size in enumerate(sizes) if size > 10)
    drawn = Counter(split_of.values())
    small = sum(size <= 10 for size in sizes)
    for split, share in (("test", 0.2), ("val", 0.1)):
        wanted = round(share * len(sizes))
        assert drawn[split] == wanted or sum(drawn[s] for s in ("test", "val")) == small


def test_splits_do_not_depend_on_the_order_of_items() -> None:
    group_of = {f"i{n}": f"g{n // 3}" for n in range(90)}
    assert splits(group_of) == splits(dict(reversed(group_of.items())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1f468-200d-1f680", "1f9d1-200d-1f680"),  # man astronaut, astronaut
        ("1f3c3", "1f3c3-200d-2640-fe0f"),  # person running, woman running
        ("1f469-200d-1f9b0", "1f469"),  # woman: red hair, woman
        ("1f6b6", "1f6b6-200d-2642-fe0f-200d-27a1-fe0f"),  # facing right
    ],
)
def test_variants_of_a_person_have_one_base(one: str, other: str) -> None:
    assert base(bare(one)) == base(bare(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1f468-200d-1f680", "1f468-200d-1f373"),  # astronaut, cook
        ("2640-fe0f", "2642-fe0f"),  # the signs themselves
        ("1f408", "1f408-200d-2b1b"),  # cat, black cat
    ],
)
def test_other_things_have_another_base(one: str, other: str) -> None:
    assert base(bare(one)) != base(bare(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("one o'clock", "clock face one-thirty"),
        ("backhand index pointing left", "backhand index pointing up"),
        ("red apple", "green apple"),
        ("black small square", "white large square"),
        ("dollar banknote", "yen banknote"),
    ],
)
def test_stem_drops_what_variants_differ_in(one: str, other: str) -> None:
    assert set(stem(one).split()) & set(stem(other).split())
    assert set(stem(one).split()) <= {*stem(other).split(), "o", "clock"}


def test_links_join_by_name_stem_subgroup_and_series() -> None:
    heart = links((0x1F499,), "heart", ["blue heart"])
    assert heart & links((0x1F49A,), "heart", ["green heart"])
    assert heart & links((0x2665,), "game", ["suit"])  # by its series
    assert not heart & links((0x1F34E,), "food-fruit", ["red apple"])
    assert not links((0x31,), "a", ["one"]) & links(
        (0x32,), "b", ["two"]
    )  # an empty stem joins none
    man, cook = (0x1F468,), (0x1F468, 0x200D, 0x1F373)
    assert not links(man, "person", ["man"]) & links(cook, "person-role", ["man cook"])
    dog, service_dog = (0x1F415,), (0x1F415, 0x200D, 0x1F9BA)
    assert links(dog, "x", ["dog"]) & links(service_dog, "x", ["service dog"])
