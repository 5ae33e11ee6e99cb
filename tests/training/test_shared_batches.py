"""Of several processes each reads its share of a batch; skipped batches are not read at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from polymatch import distributed
from polymatch.data.features import FeatureStore, write_features
from polymatch.data.frames import FrameStore
from polymatch.data.words import WordStore
from polymatch.training.batches import Batches
from polymatch.training.streamed import StreamedBatches

from ..processes import together
from ..stored_sets import ATTRIBUTES, tables

CPU = torch.device("cpu")
CAPTIONS, BATCH = 44, 7  # the last batch, of two rows, is too small for three processes


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Vectors with vectors, and frames with words, on disk."""
    folder = tmp_path_factory.mktemp("sets")
    reader, _ = tables(folder, 11, CAPTIONS, (3, 2))
    vectors = reader.stored_training_set("train", ["name"])
    random = np.random.default_rng(0)
    ragged = {}
    for name, store in (("items", vectors.item_store), ("captions", vectors.caption_store)):
        ends = np.cumsum([0, *random.integers(1, 9, len(store))])
        rows = random.standard_normal((ends[-1], 3)).astype(np.float32)
        more, kind = {}, "float32"
        if name == "captions":
            rows = random.integers(1, 20, ends[-1]).astype(np.int32)
            more, kind = {"vocabulary_size": 20}, "int32"
        ragged[name] = folder / f"{name}.h5"
        write_features(
            ragged[name], store.ids, rows, offsets=ends, attributes=ATTRIBUTES | more, dtype=kind
        )
    read = replace(
        vectors,
        item_store=FrameStore(ragged["items"]),
        caption_store=WordStore(ragged["captions"]),
    )
    return {"vectors": vectors, "ragged": read}


def loaders(data, shared):
    """A loader from disk, in small pools, and one from memory."""
    streamed = StreamedBatches(data, BATCH, CPU, shared)
    streamed.pool_rows, streamed.block_rows = 2 * BATCH, 3
    return streamed, Batches(data.load(), BATCH, CPU, shared)


def order():
    return torch.Generator().manual_seed(0)


def check_shares(sets):
    read = []
    take = FeatureStore._take

    def noted(self, rows, checked=False):
        read.append(len(rows))
        return take(self, rows, checked)

    for data in sets.values():
        for ours, whole in zip(loaders(data, True), loaders(data, False), strict=True):
            pairs = list(zip(ours.epoch(order()), whole.epoch(order()), strict=True))
            assert [batch.shared for batch, _ in pairs] == [True] * 6 + [False]
            for batch, expected in pairs:
                own = distributed.share_of(len(expected.item_rows))
                # Words are filled up alike; frames as far as the longest of those that are there.
                assert torch.equal(batch.captions, expected.captions[own])
                items = expected.items[own]
                items = items[:, : batch.items.shape[1]]
                assert torch.equal(batch.items.nan_to_num(7), items.nan_to_num(7))
                for name in ("positives", "item_rows", "texts"):
                    assert torch.equal(getattr(batch, name), getattr(expected, name))
    FeatureStore._take = noted
    counts = []
    for shared in (True, False):
        read.clear()
        list(loaders(sets["vectors"], shared)[0].epoch(order()))
        counts.append(sum(read))
    assert counts[0] < counts[1]


def test_each_of_three_processes_has_its_rows_and_reads_no_others(sets):
    assert together(3, check_shares, sets) == [0, 0, 0]


@pytest.mark.parametrize("kind", ["vectors", "ragged"])
@pytest.mark.parametrize("done", [0, 1, 2, 3, 6, 7])
def test_an_epoch_goes_on_after_the_batches_that_are_done(sets, kind, done):
    for loader in loaders(sets[kind], True):
        first, second = order(), order()
        whole, rest = list(loader.epoch(first)), list(loader.epoch(second, done))
        assert len(whole) == 7 and len(rest) == 7 - done
        for batch, expected in zip(rest, whole[done:], strict=True):
            assert torch.equal(batch.item_rows, expected.item_rows)
            assert torch.equal(batch.captions, expected.captions)
            assert torch.equal(batch.items.nan_to_num(7), expected.items.nan_to_num(7))
        assert torch.equal(first.get_state(), second.get_state())


def test_what_is_done_is_not_read(sets, monkeypatch):
    read = []
    take = FeatureStore.take

    def noted(self, rows, checked=False):
        read.append(len(rows))
        return take(self, rows, checked)

    monkeypatch.setattr(FeatureStore, "take", noted)
    loader = loaders(sets["vectors"], True)[0]
    read.clear()
    list(loader.epoch(order(), 6))
    assert sum(read) <= 2 * 2  # the last batch alone: two captions with their items
