"""The one loop that trains every family.

AdamW with a cosine schedule over epochs (as the published projectors are trained), gradient
clipping, validation after every epoch. Embeddings live on the device; batches are gathered.

Deviation from the published loop: the kept epoch is chosen by validation R-sum, not by training
loss, and captions that name several items count as positives of each.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import pandas as pd
import torch
from tqdm import tqdm

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.errors import NumericsError
from polymatch.evaluation import retrieval_metrics
from polymatch.models import RetrievalModel
from polymatch.settings.model import TrainedSettings, TrainingSettings
from polymatch.training.batches import Batch, Batches
from polymatch.training.scoring import encode


def train(
    model: RetrievalModel,
    train_set: TrainingSet,
    val_set: RetrievalSet,
    seed: int,
    label: str = "training",
) -> pd.DataFrame:
    """Train ``model`` in place and return its history, one row an epoch.

    Columns: epoch, lr, the loss and its parts (means over the epoch), ``val_t2v_r1``,
    ``val_v2t_r1``, ``val_rsum`` and the model's diagnostics on val, seconds (since the start),
    ``kept`` (true for the epoch whose weights the model has in the end). Row 0 is the untrained
    model; it is the only one where nothing is to be trained. How to train is in the model's own
    settings.

    Raises:
        NumericsError: the gradient is not finite; the message says when.
    """
    start = time.perf_counter()
    history = [{"epoch": 0, "lr": 0.0} | _validate(model, val_set) | {"seconds": 0.0}]
    kept = 0
    if isinstance(model.settings, TrainedSettings) and model.settings.trained:
        with _no_denormals():
            more, kept = _train(
                model, train_set, val_set, model.settings.training, seed, label, start
            )
        history += more
    frame = pd.DataFrame(history)
    frame["kept"] = frame["epoch"] == kept
    return frame


def _train(
    model: RetrievalModel,
    train_set: TrainingSet,
    val_set: RetrievalSet,
    settings: TrainingSettings,
    seed: int,
    label: str,
    start: float,
) -> tuple[list[dict[str, float]], int]:
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    batches = Batches(train_set, settings.batch_size, model.device)
    loss_of = _loss_of(model)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, T_max=settings.epochs, eta_min=settings.lr * settings.final_lr
    )
    history: list[dict[str, float]] = []
    best, kept, weights, attached = -1.0, 0, model.state_dict(), model.attachments()
    for epoch in tqdm(range(1, settings.epochs + 1), desc=label, mininterval=5, unit="epoch"):
        lr = float(schedule.get_last_lr()[0])
        model.before_epoch(epoch, batches.items, batches.captions, batches.pairs)
        losses = _one_epoch(model, batches, loss_of, optimiser, settings.clip_norm, order, epoch)
        schedule.step()
        figures = _validate(model, val_set)
        seconds = time.perf_counter() - start
        history.append({"epoch": epoch, "lr": lr, **losses, **figures, "seconds": seconds})
        if settings.select == "last" or figures["val_rsum"] > best:
            best, kept = figures["val_rsum"], epoch
            weights, attached = deepcopy(model.state_dict()), model.attachments()
    model.load_state_dict(weights)
    model.attach(attached)
    model.eval()
    return history, kept


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Take numbers below the normal range for zero, as long as this is open.

    Clipped gradients leave such second moments, which CPUs take 5 times as long for; beside
    AdamW's epsilon of 1e-8 they are zero anyway.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _loss_of(model: RetrievalModel) -> Callable[[Batch], dict[str, torch.Tensor]]:
    family = importlib.import_module(f"polymatch.losses.{model.settings.family}")

    def loss_of(batch: Batch) -> dict[str, torch.Tensor]:
        items, captions = model.encode_items(batch.items), model.encode_captions(batch.captions)
        return family.training_loss(model, items, captions, batch.positives)

    return loss_of


def _one_epoch(
    model: RetrievalModel,
    batches: Batches,
    loss_of: Callable[[Batch], dict[str, torch.Tensor]],
    optimiser: torch.optim.Optimizer,
    clip_norm: float,
    order: torch.Generator,
    epoch: int,
) -> dict[str, float]:
    model.train()
    totals: dict[str, torch.Tensor] = {}
    for batch in batches.epoch(order):
        parts = loss_of(batch)
        optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        if not norm.isfinite():
            # Clipping by an infinite norm would set every gradient to zero: nothing would train.
            loss = float(parts["loss"].detach())
            raise NumericsError(
                f"the gradient is not finite in epoch {epoch} (loss {loss:g}); "
                "lower `training.lr`, raise `tau`, or take a teacher that covers where the head is"
            )
        optimiser.step()
        for name, part in parts.items():
            totals[name] = totals.get(name, torch.zeros(())) + part.detach().float()
    return {name: float(total) / len(batches) for name, total in totals.items()}


def _validate(model: RetrievalModel, val_set: RetrievalSet) -> dict[str, float]:
    items, captions = encode(model, val_set)
    with torch.inference_mode():
        similarity = model.similarity(items, captions).cpu().numpy()
        diagnostics = model.diagnostics(items, captions)
    metrics = retrieval_metrics(similarity, val_set.item_ids, val_set.positives)
    figures = {name: metrics[name] for name in ("t2v_r1", "v2t_r1", "rsum")} | diagnostics
    return {f"val_{name}": value for name, value in figures.items()}
