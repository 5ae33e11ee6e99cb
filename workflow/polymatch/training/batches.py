"""Batches of captions with their items, gathered from arrays that live on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from polymatch.data.batch import Batch, Matches
from polymatch.data.semantics import Semantics
from polymatch.data.splits import TrainingSet
from polymatch.device import on_device


class Batches:
    """Shuffled batches of a training set; the last, smaller one is kept if it has two captions."""

    def __init__(self, data: TrainingSet, batch_size: int, device: torch.device) -> None:
        self.items = on_device(data.items, device)
        self.captions = on_device(data.captions, device)
        self.pairs = torch.as_tensor(data.pairs, device=device)
        self.texts = torch.as_tensor(data.texts, device=device)
        self.matches = Matches(self.pairs, self.texts)
        self.semantics = Semantics(data.wording, data.pairs, data.texts)
        self.concepts = None if data.concepts is None else on_device(data.concepts, device)
        self.batch_size = batch_size

    def __len__(self) -> int:
        full, rest = divmod(len(self.pairs), self.batch_size)
        return full + (rest > 1)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Every caption once, in an order drawn from ``generator`` (on the CPU)."""
        order = torch.randperm(len(self.pairs), generator=generator).to(self.pairs.device)
        for rows in order.split(self.batch_size)[: len(self)]:
            yield self.gather(rows)

    def gather(self, rows: Tensor) -> Batch:
        """The batch of these caption rows; the same item may stand in it more than once."""
        items, texts = self.pairs[rows], self.texts[rows]
        positives = self.matches.between(items, texts)
        return Batch(
            self.items[items],
            self.captions[rows],
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
