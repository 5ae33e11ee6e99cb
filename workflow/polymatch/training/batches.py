"""Batches of captions with their items, gathered from arrays that live on the device.

Of several processes each has the features of its share of a batch alone, if that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from polymatch import distributed
from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.data.splits import TrainingSet
from polymatch.device import on_device


class Batches:
    """Shuffled batches of a training set; the last, smaller one is kept if it has two captions.

    Args:
        shared: of several processes, each has the features of its share of the rows.
    """

    def __init__(
        self, data: TrainingSet, batch_size: int, device: torch.device, shared: bool = True
    ) -> None:
        self.items = on_device(data.items, device)
        self.captions = on_device(data.captions, device)
        self.pairs = torch.as_tensor(data.pairs, device=device)
        self.texts = torch.as_tensor(data.texts, device=device)
        self.matches = Matches(self.pairs, self.texts)
        self.semantics = Semantics(data.wording, data.pairs, data.texts)
        self.concepts = None if data.concepts is None else on_device(data.concepts, device)
        self.batch_size, self.shared = batch_size, shared

    def __len__(self) -> int:
        full, rest = divmod(len(self.pairs), self.batch_size)
        return full + (rest > 1)

    def epoch(self, generator: torch.Generator, done: int = 0) -> Iterator[Batch]:
        """Every caption once, in an order drawn from ``generator`` (on the CPU).

        The first ``done`` batches are left out: they have been trained on.
        """
        order = torch.randperm(len(self.pairs), generator=generator).to(self.pairs.device)
        for rows in order.split(self.batch_size)[done : len(self)]:
            yield self.gather(rows)

    def gather(self, rows: Tensor) -> Batch:
        """The batch of these caption rows; the same item may stand in it more than once."""
        items, texts = self.pairs[rows], self.texts[rows]
        positives = self.matches.between(items, texts)
        own = distributed.share_of(len(rows)) if self.shared else slice(None)
        return Batch(
            self.items[items[own]],
            self.captions[rows[own]],
            positives,
            items,
            texts,
            self.matches,
            self.semantics,
            None if self.concepts is None else self.concepts[items],
        )

    def sample(self) -> tuple[Any, Tensor, Tensor]:
        """Items [N, ...], captions [M, ...] and each caption's item [M]: here, the whole set."""
        return self.items, self.captions, self.pairs
