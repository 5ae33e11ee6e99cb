"""Batches from stores against batches from memory, and what is held while they are made."""

import weakref
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.features import FeatureStore, write_features
from polymatch.data.splits import StoredTrainingSet
from polymatch.errors import DataError
from polymatch.training import streamed
from polymatch.training.batches import Batches
from polymatch.training.streamed import StreamedBatches, make_batches, spread_shuffle

from ..stored_sets import ATTRIBUTES, tables

CPU = torch.device("cpu")


def order(seed=0):
    return torch.Generator().manual_seed(seed)


def small_pools(data, batch_size, pool, block):
    """A loader whose pools and blocks are of so many captions, as if features were wide."""
    batches = StreamedBatches(data, batch_size, CPU)
    batches.pool_rows, batches.block_rows = max(batch_size, pool // batch_size * batch_size), block
    return batches


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Captions in train -> the same set on disk and in memory."""
    made = {}

    def of(captions):
        if captions not in made:
            reader, _ = tables(
                tmp_path_factory.mktemp(f"toy{captions}"), max(1, captions // 4), captions, (3, 2)
            )
            stored = reader.stored_training_set("train", ["name"])
            made[captions] = stored, stored.load()
        return made[captions]

    return of


def pairs_of(batches):
    """Every (item, caption) pair of feature rows, as often as it comes, sorted."""
    rows = [torch.cat([b.items, b.captions], 1) for b in batches]
    return sorted(map(tuple, torch.cat(rows).tolist())) if rows else []


@given(
    captions=st.sampled_from([1, 2, 3, 7, 32, 101]),
    batch_size=st.integers(2, 9),
    pool=st.integers(1, 40),
    block=st.integers(1, 12),
)
def test_an_epoch_has_every_caption_once_with_its_item_and_its_positives(
    sets, captions, batch_size, pool, block
):
    stored, held = sets(captions)
    ours, theirs = small_pools(stored, batch_size, pool, block), Batches(held, batch_size, CPU)
    batches = list(ours.epoch(order()))
    expected = list(theirs.epoch(order()))
    assert len(batches) == len(ours) == len(theirs) == len(expected)
    assert [len(b.items) for b in batches] == [len(b.items) for b in expected]
    everything = pairs_of([theirs.gather(torch.arange(captions))])
    found = pairs_of(batches)
    assert len(set(found)) == len(found) == captions - (captions % batch_size == 1)
    assert set(found) <= set(everything)
    for batch in batches:
        caption = [np.flatnonzero((held.captions == c.numpy()).all(1))[0] for c in batch.captions]
        twin = theirs.gather(torch.tensor(caption))
        assert torch.equal(batch.items, twin.items)
        assert torch.equal(batch.captions, twin.captions)
        assert torch.equal(batch.positives, twin.positives)
        assert batch.item_rows.tolist() == held.pairs[caption].tolist()
        assert batch.texts.tolist() == held.texts[caption].tolist()


def test_the_order_is_that_of_the_generator_and_of_nothing_else(sets):
    stored, _ = sets(101)

    def epochs(generator, count=2):
        batches = small_pools(stored, 8, 24, 5)
        return [torch.cat([b.captions for b in batches.epoch(generator)]) for _ in range(count)]

    first, second = epochs(order(0))
    again = epochs(order(0))
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    assert not torch.equal(first, second)
    assert not torch.equal(first, epochs(order(1))[0])


def test_at_most_two_pools_are_alive(sets, monkeypatch):
    """Rows that were read and are still held, counted whenever a batch is given out."""
    stored, _ = sets(101)
    alive, most = {}, []
    gather = StoredTrainingSet.gather

    def counted(self, rows, checked=False, among=None):
        gathered = gather(self, rows, checked, among)
        alive[id(gathered.captions)] = len(rows)
        weakref.finalize(gathered.captions, alive.pop, id(gathered.captions))
        most.append(sum(alive.values()))
        return gathered

    monkeypatch.setattr(StoredTrainingSet, "gather", counted)
    batches = small_pools(stored, 4, 12, 5)
    seen = 0
    for batch in batches.epoch(order()):
        seen += len(batch.captions)
        del batch
    assert seen == 100 and max(most) <= 2 * 12
    assert not alive


def test_pools_are_a_quarter_of_the_memory_and_hold_whole_batches(sets):
    stored, _ = sets(101)
    batches = StreamedBatches(replace(stored, memory_mb=1), 512, CPU)
    a_caption = stored.nbytes / len(stored.pairs)  # with its share of its item
    assert batches.pool_rows % 512 == 0
    assert batches.pool_rows * a_caption <= (1 << 20) / 4 < (batches.pool_rows + 512) * a_caption
    assert StreamedBatches(replace(stored, memory_mb=1), 100_000, CPU).pool_rows == 100_000


def test_an_epoch_that_is_left_early_leaves_nothing_behind(sets):
    stored, _ = sets(101)
    batches = small_pools(stored, 4, 12, 5)
    for _ in batches.epoch(order()):
        break
    assert pairs_of(batches.epoch(order())) == pairs_of(batches.epoch(order()))


def test_where_a_training_set_is_decides_the_loader(sets):
    stored, held = sets(7)
    assert isinstance(make_batches(stored, 3, CPU), StreamedBatches)
    assert isinstance(make_batches(held, 3, CPU), Batches)


def test_a_sample_is_of_whole_pairs_from_all_over_the_set(sets):
    stored, held = sets(101)
    batches = small_pools(stored, 4, 40, 5)
    items, captions, pairs = batches.sample()
    assert 1 < len(captions) <= 20 + 5 and len(items) == len(pairs.unique())
    drawn = pairs_of([streamed.Batch(items[pairs], captions, *[None] * 5)])
    assert set(drawn) <= set(pairs_of([Batches(held, 4, CPU).gather(torch.arange(101))]))
    assert all(a is b for a, b in zip(batches.sample(), (items, captions, pairs), strict=True))


def test_what_cannot_be_read_stops_the_epoch_with_its_id(tmp_path):
    reader, _ = tables(tmp_path, 8, 40, (3, 2))
    with h5py.File(tmp_path / "c.h5", "a") as file:
        row = file["ids"][:].tolist().index(b"c9")
        file["features"][row] = np.nan
    stored = reader.stored_training_set("train", ["name"])
    with pytest.raises(DataError, match=rf"c\.h5: features of 'c9' \(row {row + 1}\) hold NaN"):
        list(small_pools(stored, 4, 12, 5).epoch(order()))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(0, 5))
def test_a_spread_shuffle_is_an_order_of_all(items, seed):
    found = spread_shuffle(np.array(items), np.random.default_rng(seed))
    assert sorted(found) == list(range(len(items)))


def test_captions_of_an_item_are_spread_and_every_place_is_as_likely():
    items = np.repeat(np.arange(40), 5)
    random = np.random.default_rng(0)
    places = np.zeros((200, 4))
    for _ in range(2000):
        place = np.empty(200, dtype=int)
        place[spread_shuffle(items, random)] = np.arange(200)
        apart = np.diff(np.sort(place.reshape(40, 5), axis=1), axis=1)
        assert apart.min() >= 40 - 1 and apart.max() <= 40 + 1
        places[np.arange(200), place // 50] += 1
    assert np.abs(places / 2000 - 0.25).max() < 0.05  # five standard deviations


def test_blocks_are_contiguous_in_the_store(sets, monkeypatch):
    """A pool asks for few runs of rows, not for single ones."""
    stored, _ = sets(101)
    asked = []
    take = FeatureStore.take

    def noted(self, rows, checked=False):
        asked.append((self.path.name, rows))
        return take(self, rows, checked)

    monkeypatch.setattr(FeatureStore, "take", noted)
    list(small_pools(stored, 10, 50, 10).epoch(order()))
    of_captions = [rows for name, rows in asked if name == "c.h5"]
    assert len(of_captions) == 3
    for rows in of_captions:
        assert (np.diff(rows) > 0).all()
        assert (np.diff(rows) > 6).sum() <= 6  # val's rows lie between those of train


def test_frames_are_streamed_as_they_are_in_memory(tmp_path):
    reader, _ = tables(tmp_path, 6, 24, (3, 2))
    random = np.random.default_rng(0)
    ends = np.cumsum([0, *random.integers(1, 5, 11)])
    ids = [f"i{row}" for row in random.permutation(11)]
    frames = random.standard_normal((ends[-1], 3)).astype(np.float32)
    write_features(tmp_path / "i.h5", ids, frames, offsets=ends, attributes=ATTRIBUTES)
    stored = reader.stored_training_set("train", ["name"])
    stored = replace(stored, concepts=random.random((6, 4)).astype(np.float32))
    held = Batches(stored.load(), 4, CPU)
    # What a caption goes with, by its own features.
    expected = {
        tuple(caption.tolist()): (held.items[row[None]][0], held.concepts[row])
        for caption, row in zip(held.captions, held.pairs, strict=True)
    }
    seen = 0
    for batch in small_pools(stored, 4, 8, 3).epoch(order()):
        for item, caption, concepts in zip(
            batch.items, batch.captions, batch.concepts, strict=True
        ):
            own, tags = expected[tuple(caption.tolist())]
            torch.testing.assert_close(item[: len(own)], own)
            assert item[len(own) :].isnan().all() and torch.equal(concepts, tags)
            seen += 1
    assert seen == 24
