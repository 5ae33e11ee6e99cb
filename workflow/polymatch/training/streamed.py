"""Batches of a training set that stays on disk: read ahead, shuffled in bounded memory.

An epoch goes through the captions in an order that only its generator decides. Neighbours in the
store form blocks; the blocks are put in random order, and as many captions as a quarter of the
memory allows make a pool, which is read by a thread while the pool before it is trained on. Batches
are cut from the shuffled pool, so that two captions can only meet in a batch if they are in one
pool: those of one block always are, all others by chance.

A block holds all captions of an item. Shuffled freely, a pool of P captions would put
C (B - 1) / (P - 1) of an item's C other captions beside each one in its batch of B, where a shuffle
of all M captions puts C (B - 1) / (M - 1): 0.16 instead of 0.004 for COCO and B = 512. Therefore
the captions of an item are spread evenly over the pool, each in a uniformly distributed place:
none meet while B is below a (C + 1)th of P, which more memory makes larger. Captions of other items
meet their neighbours of the same block M / P times as often as in a shuffle of all; blocks are
small, so those are few.

Of several processes each reads the features of its share of every batch, and no others; which
captions make a batch does not depend on their number.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polymatch import distributed
from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.data.splits import StoredTrainingSet, TrainingSet
from polymatch.data.training_set import Gathered
from polymatch.device import on_device
from polymatch.training.batches import Batches

Rows = NDArray[np.int64]
T = TypeVar("T")

_MB = 1 << 20
_BLOCK_BYTES = 1 << 20
# Of large features a block has few rows; below this, captions of one item would be read in turn.
_LEAST_BLOCK_ROWS = 16


def make_batches(
    data: TrainingSet | StoredTrainingSet,
    batch_size: int,
    device: torch.device,
    shared: bool = True,
) -> Batches | StreamedBatches:
    """Batches of a training set, from memory or from disk, wherever it is."""
    if isinstance(data, TrainingSet):
        return Batches(data, batch_size, device, shared)
    return StreamedBatches(data, batch_size, device, shared)


class StreamedBatches:
    """Shuffled batches as :class:`Batches` gives them, from stores, within ``data.memory_mb``.

    Two pools, of a quarter of that each, are the most that is held; a pool has one batch at least.
    ``waited`` is how many seconds whoever takes the batches has waited for one so far.
    """

    def __init__(
        self,
        data: StoredTrainingSet,
        batch_size: int,
        device: torch.device,
        shared: bool = True,
    ) -> None:
        self.data, self.batch_size, self.device = data, batch_size, device
        self.shared = shared
        self.pairs = torch.as_tensor(data.pairs, device=device)
        self.texts = torch.as_tensor(data.texts, device=device)
        self.matches = Matches(self.pairs, self.texts)
        self.semantics = Semantics(data.wording, data.pairs, data.texts)
        self.concepts = None if data.concepts is None else on_device(data.concepts, device)
        # An item is held once, whatever the number of its captions.
        row_bytes = -(-data.nbytes // len(self.pairs))
        batches = data.memory_mb * _MB // 4 // (row_bytes * batch_size)
        self.pool_rows = max(1, batches) * batch_size
        self.block_rows = max(_LEAST_BLOCK_ROWS, _BLOCK_BYTES // row_bytes)
        self._stored = np.argsort(data.caption_rows, kind="stable")
        self._checked = False
        self.waited = 0.0

    def __len__(self) -> int:
        full, rest = divmod(len(self.pairs), self.batch_size)
        return full + (rest > 1)

    def epoch(self, generator: torch.Generator, done: int = 0) -> Iterator[Batch]:
        """Every caption once, in an order drawn from ``generator`` (on the CPU).

        The first ``done`` batches are left out, and not read: they have been trained on.
        """
        order = self._order(generator)
        seed = int(torch.randint(2**62, (), generator=generator))
        pools = [order[i : i + self.pool_rows] for i in range(0, len(order), self.pool_rows)]
        first, skipped = divmod(done, self.pool_rows // self.batch_size)

        def read(number: int) -> _Pool:
            return self._read(pools[number], [seed, number], skipped if number == first else 0)

        with ThreadPoolExecutor(1, "pool") as reader:
            ahead = [reader.submit(read, number) for number in range(len(pools))[first : first + 1]]
            for number in range(first, len(pools)):
                # Taken off the list: a finished read would keep its pool beside the two in use.
                pool = self._wait_for(ahead.pop())
                following = range(len(pools))[number + 1 : number + 2]
                ahead += [reader.submit(read, number) for number in following]
                yield from self._batches(pool)
        self._checked = self._checked or not done

    def sample(self) -> tuple[Any, Tensor, Tensor]:
        """Items [I, ...], captions [C, ...] and each caption's item [C]: a part of the set.

        Blocks from all over it, the same ones every time, of an eighth of the memory at most.
        """
        return self._sample

    @cached_property
    def _sample(self) -> tuple[Any, Tensor, Tensor]:
        wanted = max(1, self.pool_rows // 2 // self.block_rows)
        blocks = self._blocks()
        chosen = blocks[:: -(-len(blocks) // wanted)]
        sample = self.data.gather(np.concatenate(chosen))
        items, captions, pairs = (on_device(part, self.device) for part in sample)
        return items, captions, pairs

    def _blocks(self) -> list[Rows]:
        rows = self._stored
        return [rows[i : i + self.block_rows] for i in range(0, len(rows), self.block_rows)]

    def _order(self, generator: torch.Generator) -> Rows:
        """All caption rows: whole blocks, in random order."""
        blocks = self._blocks()
        drawn = torch.randperm(len(blocks), generator=generator).tolist()
        return np.concatenate([blocks[number] for number in drawn])

    def _read(self, rows: Rows, seed: list[int], skipped: int) -> _Pool:
        """A pool's batches but for the ``skipped`` first ones."""
        rows = rows[np.argsort(self.data.caption_rows[rows], kind="stable")]
        order = spread_shuffle(self.data.pairs[rows], np.random.default_rng(seed))
        parts = np.split(order, range(self.batch_size, len(order), self.batch_size))[skipped:]
        # One alone has nothing to be told from.
        parts = [part for part in parts if len(part) > 1]
        own = np.sort(np.concatenate([part[self._own(part)] for part in [*parts, order[:0]]]))
        gathered = self.data.gather(rows[own], self._checked, rows)
        return _Pool(rows, parts, own, gathered)

    def _own(self, part: Rows) -> slice:
        return distributed.share_of(len(part)) if self.shared else slice(None)

    def _wait_for(self, future: Future[T]) -> T:
        start = time.perf_counter()
        result = future.result()
        self.waited += time.perf_counter() - start
        return result

    def _batches(self, pool: _Pool) -> Iterator[Batch]:
        """The batches of a pool; the next one is put together while one is trained on."""
        items, captions, pairs = (on_device(part) for part in pool.gathered)
        rows = torch.from_numpy(pool.rows)

        def batch(part: Rows) -> Batch:
            chosen = rows[part].to(self.device)
            item_rows, texts = self.pairs[chosen], self.texts[chosen]
            own = torch.from_numpy(np.searchsorted(pool.own, part[self._own(part)]))
            return Batch(
                items[pairs[own]].to(self.device),
                captions[own].to(self.device),
                self.matches.between(item_rows, texts),
                item_rows,
                texts,
                self.matches,
                self.semantics,
                None if self.concepts is None else self.concepts[item_rows],
            )

        parts = pool.parts
        with ThreadPoolExecutor(1, "batch") as builder:
            ahead = [builder.submit(batch, part) for part in parts[:1]]
            for number in range(len(parts)):
                built = self._wait_for(ahead.pop())
                ahead += [builder.submit(batch, part) for part in parts[number + 1 : number + 2]]
                yield built
                del built


class _Pool(NamedTuple):
    """Captions that are shuffled together.

    Attributes:
        rows: [C] in the order of the store. parts: the batches, as places in ``rows``.
        own: places, in ascending order, of which there are features: ``gathered``.
    """

    rows: Rows
    parts: list[Rows]
    own: Rows
    gathered: Gathered


def spread_shuffle(items: Rows, random: np.random.Generator) -> Rows:
    """A random order of captions, in which those of one item are spread: [C] row numbers.

    Each caption's place is uniformly distributed. The n captions of an item, in random order, lie
    an nth of the (circular) order apart.

    Args:
        items: [C], the item of each caption.
    """
    order = random.permutation(len(items))
    _, item, counts = np.unique(items[order], return_inverse=True, return_counts=True)
    by_item = np.argsort(item, kind="stable")
    first = np.repeat(np.cumsum(counts) - counts, counts)
    number = np.empty_like(by_item)
    number[by_item] = np.arange(len(items)) - first
    start = random.random(len(counts))[item]
    place = (start + number / counts[item]) % 1.0
    return order[np.argsort(place, kind="stable")]
