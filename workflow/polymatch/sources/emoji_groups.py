"""Which emoji are variants of one thing, and which split each such group goes to.

Two emoji fall into one group if they share a name, if their names differ only by words of gender,
age, hair, colour, direction, size, order or hour, if they are the same person under code point
rules (man, woman and person; with hair or a direction), or if they are in one series of
:mod:`polymatch.sources.emoji_variants`, because their pictures are one design. Groups are the
connected components of these links. A group over ten goes to train; the others are drawn in the
order of a hash of their names, so that nothing but those and the sizes decides.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from polymatch.sources.emoji_captions import CodePoints
from polymatch.sources.emoji_variants import SERIES, SERIES_OF_SUBGROUP, VARIANT_WORDS

LARGEST_GROUP_TO_DRAW = 10
SHARES = {"test": 0.2, "val": 0.1}

_PERSON = 0x1F9D1
_PERSONS = frozenset({0x1F468, 0x1F469, _PERSON})
_JOINER = 0x200D
# female and male sign, four kinds of hair, rightwards arrow: what follows a joiner and only varies
_MODIFIERS = frozenset({0x2640, 0x2642, 0x1F9B0, 0x1F9B1, 0x1F9B2, 0x1F9B3, 0x27A1})


def stem(name: str) -> str:
    """Return a name without the words in which variants of one thing differ.

    >>> stem("blue heart"), stem("woman's boot"), stem("seven")
    ('heart', 'boot', '')
    """
    return " ".join(w for w in re.findall(r"[^\W_]+", name) if w not in VARIANT_WORDS)


def base(code_points: CodePoints) -> CodePoints:
    """Return code points with every adult the same and without gender, hair and direction.

    >>> base((0x1F469, 0x200D, 0x1F680)) == base((0x1F9D1, 0x200D, 0x1F680))
    True
    """
    parts = [_PERSON if c in _PERSONS else c for c in code_points]
    kept = [
        c
        for i, c in enumerate(parts)
        if not (i > 0 and c in _MODIFIERS)
        and not (c == _JOINER and parts[i + 1 : i + 2] and parts[i + 1] in _MODIFIERS)
    ]
    return tuple(kept)


def links(code_points: CodePoints, subgroup: str, names: Iterable[str]) -> set[Hashable]:
    """Return the marks of one emoji; two that share a mark belong together."""
    names = tuple(names)
    marks: set[Hashable] = {("base", base(code_points))}
    marks |= {("name", name) for name in names}
    marks |= {("stem", stem(name)) for name in names if stem(name)}
    if subgroup in SERIES_OF_SUBGROUP:
        marks.add(("series", SERIES_OF_SUBGROUP[subgroup]))
    # "service dog" is the dog and a joined vest; but not every profession is the man it starts with
    if len(code_points) == 1 or code_points[0] not in _PERSONS:
        marks |= {("series", kind) for kind, members in SERIES.items() if code_points[0] in members}
    return marks


def groups(marks_of: Mapping[str, set[Hashable]]) -> dict[str, str]:
    """Return the group of every item: the first item_id of its connected component.

    >>> groups({"a": {1}, "b": {1, 2}, "c": {2}, "d": {3}})
    {'a': 'a', 'b': 'a', 'c': 'a', 'd': 'd'}
    """
    parent = {item_id: item_id for item_id in sorted(marks_of)}

    def root(item_id: str) -> str:
        while parent[item_id] != item_id:
            item_id = parent[item_id]
        return item_id

    first: dict[Hashable, str] = {}
    for item_id in parent:
        for mark in marks_of[item_id]:
            one, other = sorted((root(item_id), root(first.setdefault(mark, item_id))))
            parent[other] = one
    return {item_id: root(item_id) for item_id in parent}


def splits(group_of: Mapping[str, str]) -> dict[str, str]:
    """Return the split of every group: 70/10/20 of the groups, those over ten in train.

    >>> from collections import Counter
    >>> sorted(Counter(splits({str(n): str(n) for n in range(50)}).values()).items())
    [('test', 10), ('train', 35), ('val', 5)]
    """
    size = Counter(group_of.values())
    waiting = iter(_drawn([group for group in size if size[group] <= LARGEST_GROUP_TO_DRAW]))
    split_of = dict.fromkeys(sorted(size), "train")
    for split, share in SHARES.items():
        for group in itertools.islice(waiting, round(share * len(size))):
            split_of[group] = split
    return split_of


def _drawn(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
