"""Softmax loss with a queue: the last items and captions are negatives beside those of the batch.

He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, section
3.1, without a momentum encoder, as the published heads have it.

Deviations from the published heads, all of them faults there: a batch that reaches the end of the
queue goes on at its start instead of losing its rest; slots that were never filled are masked, not
negatives of similarity 0; captions of one item within a batch are positives; and there is a queue
of items too, so that both directions are trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polymatch.data.batch import Batch
from polymatch.losses.contrastive import cross_entropy, symmetric_cross_entropy
from polymatch.losses.loss import Loss
from polymatch.models.projection import Model
from polymatch.settings.projection.losses.queue import QueueLoss


class Queue(nn.Module):
    """The last ``size`` pairs that were pushed: encodings of both sides, item rows and texts."""

    items: Tensor
    captions: Tensor
    item_rows: Tensor
    texts: Tensor
    start: Tensor

    def __init__(self, size: int, item_width: int, caption_width: int) -> None:
        super().__init__()
        self.register_buffer("items", torch.zeros(size, item_width))
        self.register_buffer("captions", torch.zeros(size, caption_width))
        self.register_buffer("item_rows", torch.full((size,), -1))
        self.register_buffer("texts", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("start", torch.zeros((), dtype=torch.int64))

    @property
    def filled(self) -> Tensor:
        """[size], true where a pair is."""
        return self.item_rows >= 0

    @torch.no_grad()
    def push(self, items: Tensor, captions: Tensor, item_rows: Tensor, texts: Tensor) -> None:
        """Add B pairs in place of the oldest; of more than there is room for, the last."""
        size = len(self.items)
        parts = [part[-size:] for part in (items, captions, item_rows, texts)]
        slots = (self.start + torch.arange(len(parts[0]), device=self.start.device)) % size
        for name, part in zip(("items", "captions", "item_rows", "texts"), parts, strict=True):
            getattr(self, name)[slots] = part.to(getattr(self, name).dtype)
        self.start.add_(len(parts[0])).remainder_(size)


class TrainingLoss(Loss):
    """Cross-entropy over the batch and the queue; over the batch alone in evaluation mode."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        assert isinstance(model.settings.loss, QueueLoss)
        self.queue = Queue(model.settings.loss.queue_size, *_encoded_widths(model))

    def forward(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        items, captions = model.encode_batch(batch)
        logits = model.logits(model.similarity(items, captions))
        if not self.training:
            loss = symmetric_cross_entropy(logits, batch.positives)
            return {"loss": loss, "temperature": model.temperature}
        queue = self.queue
        # Copies: what is pushed below must not change under the gradient.
        to_captions = model.logits(model.similarity(items, queue.captions.clone()))
        to_items = model.logits(model.similarity(queue.items.clone(), captions))
        # An empty slot is no candidate, and a right answer is no negative.
        right = batch.matches.between(batch.item_rows, queue.texts)
        to_captions = to_captions.masked_fill(right | ~queue.filled, -torch.inf)
        right = batch.matches.between(queue.item_rows.clamp(min=0), batch.texts)
        to_items = to_items.masked_fill(right | ~queue.filled[:, None], -torch.inf)
        loss = cross_entropy(logits, batch.positives, -1, negatives=to_captions)
        loss = loss + cross_entropy(logits, batch.positives, -2, negatives=to_items)
        queue.push(items, captions, batch.item_rows, batch.texts)
        return {"loss": loss, "temperature": model.temperature}


def _encoded_widths(model: Model) -> list[int]:
    """Widths of an encoded item and caption."""
    sides = zip((model.encode_items, model.encode_captions), model.widths, strict=True)
    training = model.training
    model.eval()
    with torch.no_grad():
        widths = [
            encode(torch.zeros(1, width, device=model.device)).shape[-1] for encode, width in sides
        ]
    model.train(training)
    return widths
