"""Shares of a data set that are separate jobs, and stores of shares put together again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polymatch.data.feature_writer import FeatureWriter
from polymatch.data.features import FeatureStore
from polymatch.errors import ConfigError, DataError

SUMMED = ("silent",)
"""Attributes that count something: those of the parts are added."""

_BLOCK_BYTES = 1 << 26


def shard_of(
    items: int,
    shard: int,
    shards: int,
    setting: str = "scoring.shards",
    what: str = "test items",
) -> slice:
    """The items of one of ``shards`` shards of nearly equal size, in order.

    Args:
        setting: what says how many shards there are, for the error.
        what: what the items are, for the error.

    Raises:
        ConfigError: there are fewer items than shards.

    >>> [shard_of(10, shard, 3) for shard in range(3)]
    [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
    """
    if shards > items:
        raise ConfigError(f"{setting}: {shards} shards of {items} {what}; allowed: 1 to {items}")
    return slice(items * shard // shards, items * (shard + 1) // shards)


def gather_features(parts: Sequence[Path | str], out: Path | str) -> None:
    """Write the items of several stores of one feature into one, in the order of ``parts``.

    The result is what would have been written at once. At most 64 MB, or one item, is held.

    Args:
        parts: of one encoder and data set; one may be empty, if not all are.

    Raises:
        ConfigError: there are no parts.
        DataError: parts differ in what their features are, share an id, hold NaN, or are all empty.
    """
    if not parts:
        raise ConfigError(f"{out}: no stores to gather; name at least one")
    stores = [FeatureStore(part) for part in parts]
    for store in stores[1:]:
        _refuse_other(stores[0], store)
    _refuse_shared(stores)
    if not any(len(store) for store in stores):
        raise DataError(
            f"{out}: not one item in {len(stores)} stores; see what was left out of them"
        )
    attributes = {name: stores[0].attributes[name] for name in _compared(stores[0])}
    for name in SUMMED:
        if name in stores[0].attributes:
            attributes[name] = sum(int(store.attributes[name]) for store in stores)
    dtype = str(stores[0].attributes["dtype"])
    with FeatureWriter(out, stores[0].shape, attributes, stores[0].ragged, dtype) as writer:
        for store in stores:
            _copy(store, writer)


def _copy(store: FeatureStore, writer: FeatureWriter) -> None:
    row_bytes = 4 * max(1, int(np.prod(store.shape)))
    bounds, start = store.offsets, 0
    while start < len(store):
        room = bounds[start] + _BLOCK_BYTES // row_bytes
        stop = max(start + 1, int(np.searchsorted(bounds, room, side="right")) - 1)
        ids = store.ids[start:stop]
        if store.ragged:
            rows, lengths = store.read_ragged(start, stop)
            writer.append(ids, rows, lengths.tolist())
        else:
            writer.append(ids, store.read(start, stop))
        start = stop


def _compared(store: FeatureStore) -> list[str]:
    return sorted(set(store.attributes) - {*SUMMED, "dtype"})


def _refuse_other(first: FeatureStore, other: FeatureStore) -> None:
    """Refuse to gather two stores that say different things of themselves."""
    said = [
        {
            **store.attributes,
            **{name: name in store.attributes for name in SUMMED},
            "shape of an item": store.shape,
            "several rows an item": store.ragged,
        }
        for store in (first, other)
    ]
    for name in sorted({*said[0], *said[1]}):
        if said[0].get(name) != said[1].get(name):
            raise DataError(
                f"{other.path}: {name} is {said[1].get(name)!r}, in {first.path} it is "
                f"{said[0].get(name)!r}; delete both and run their stage again"
            )


def _refuse_shared(stores: Sequence[FeatureStore]) -> None:
    owner: dict[str, Path] = {}
    for store in stores:
        for item_id in store.ids:
            if item_id in owner:
                raise DataError(
                    f"{store.path}: id {item_id!r} is in {owner[item_id]} too; "
                    "delete both and run their stage again"
                )
            owner[item_id] = store.path
