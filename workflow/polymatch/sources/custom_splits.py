"""Groups and splits of files of one's own: what is the same is never in two splits.

Files of the same bytes are one group, whatever they are called. Only files of equal size are read.
Of one over 64 MB the first, the middle and the last megabyte are compared: two clips of equal size
that differ elsewhere only would be one group too, which costs nothing but the freedom to separate
them. Splits that are not given are drawn by the hash of the group's name, the lowest first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from polymatch.errors import DataError
from polymatch.sources.custom_files import SPLIT_NAMES
from polymatch.sources.given_arrays import lowest

_WHOLE_BYTES = 1 << 26
_PART_BYTES = 1 << 20

_SPLITS = frozenset(SPLIT_NAMES.values())


def grouped(
    paths: Mapping[str, str], given: Mapping[str, str], splits: Mapping[str, str], root: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """The group of each item, and what is wrong with items whose equal is in another split.

    Args:
        paths: item -> file below ``root``, of those that can be read.
        given: item -> the group that the data set says, or nothing.
        splits: item -> split, or nothing.

    Returns:
        Item -> name of its group: the first of the groups given for it, or of its items. Item ->
        problem, of those that have one.
    """
    parent = {item: item for item in given}

    def top(item: str) -> str:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(items: Iterable[str]) -> None:
        first, *others = map(top, items)
        for other in others:
            parent[top(other)] = top(first)

    of_group = defaultdict(list)
    for item, group in given.items():
        if group:
            of_group[group].append(item)
    alike = _same_files(paths, root)
    for together in (*of_group.values(), *alike):
        join(together)
    members = defaultdict(list)
    for item in given:
        members[top(item)].append(item)
    names = {}
    for head, items in members.items():
        names[head] = min({given[item] for item in items} - {""} or items)
    problems = {item: text for items in alike for item, text in _apart(items, paths, splits)}
    return {item: names[top(item)] for item in given}, problems


def _apart(
    items: list[str], paths: Mapping[str, str], splits: Mapping[str, str]
) -> list[tuple[str, str]]:
    """What to say of equal files that lie in several splits."""
    there = sorted({splits[item] for item in items} & _SPLITS)
    if len(there) < 2:
        return []
    found = []
    for item in items:
        other = next(one for one in items if splits[one] != splits[item])
        found.append(
            (
                item,
                f"{paths[item]} and {paths[other]} are the same file, in the splits "
                f"{' and '.join(there)}; take one out, or what is learnt from it leaks",
            )
        )
    return found


def _same_files(paths: Mapping[str, str], root: Path) -> list[list[str]]:
    """Items whose files are the same, where there are several."""
    by_size = defaultdict(list)
    for item, path in paths.items():
        by_size[(root / path).stat().st_size].append(item)
    by_content = defaultdict(list)
    for size, items in by_size.items():
        if len(items) > 1:
            for item in items:
                by_content[size, _content(root / paths[item], size)].append(item)
    return [items for items in by_content.values() if len(items) > 1]


def _content(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").digest()
        parts = hashlib.sha256()
        for place in (0, size // 2, size - _PART_BYTES):
            file.seek(place)
            parts.update(file.read(_PART_BYTES))
        return parts.digest()


def split_items(
    splits: Mapping[str, str],
    groups: Mapping[str, str],
    where: Path,
    val_share: float,
    test_share: float,
) -> dict[str, str]:
    """The split of each item: the given one, or drawn by the hash of its group.

    Where no split is given, ``test_share`` of the groups are test and ``val_share`` of the others
    val. Where train is given but test or val is not, that share of train's groups is.

    Args:
        splits: item -> split, or nothing.
        groups: item -> its group.

    Raises:
        DataError: some items have a split and others none, or groups are too few.

    >>> split_items(dict.fromkeys("abc", ""), {item: item for item in "abc"}, Path("x"), 0.1, 0.1)
    {'a': 'train', 'b': 'val', 'c': 'test'}
    """
    given = {split for split in splits.values() if split}
    if not given:
        splits, given = dict.fromkeys(splits, "train"), {"train"}
    elif missing := next((item for item, split in splits.items() if not split), None):
        raise DataError(
            f"{where}: item {missing!r} has no split, but others have; give every item one, or none"
        )
    result = dict(splits)
    for split, share in (("test", test_share), ("val", val_share)):
        if split in given or "train" not in given:
            continue
        free = {groups[item] for item, own in result.items() if own == "train"}
        # A group that is elsewhere too is refused later; it is not moved about here.
        free -= {groups[item] for item, own in result.items() if own != "train"}
        taken = lowest(sorted(free), share) if free else set()
        left = 1 + (split == "test" and "val" not in given)
        if len(free) - len(taken) < left:
            raise _too_few(where, len(free), split)
        for item, own in splits.items():
            if own == "train" and groups[item] in taken:
                result[item] = split
    return result


def _too_few(where: Path, groups: int, split: str) -> DataError:
    return DataError(
        f"{where}: {groups} different items are too few to draw {split} from and leave some for "
        "train; add items, or give the splits"
    )
