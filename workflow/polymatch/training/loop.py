"""The one loop that trains every family.

AdamW with a schedule over epochs (:mod:`.schedules`), gradient clipping, validation after every
epoch, early stopping. Features live on the device and batches are gathered, unless there are too
many: then they are streamed from disk. A training that was killed goes on where it last saved its
state, to the same result (:mod:`.resume`). Several processes may share one
(:mod:`polymatch.distributed`).

Deviations from the published loops: the kept epoch is chosen on val by R-sum or R@1, not by the
training loss, captions that name several items count as positives of each, and learnt temperatures
(parameters without a dimension) do not decay.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from polymatch import distributed
from polymatch.data.splits import RetrievalSet, StoredTrainingSet, TrainingSet
from polymatch.device import random_state, restore_random_state
from polymatch.errors import NumericsError
from polymatch.models import RetrievalModel, save_model
from polymatch.settings.model import TrainedSettings, TrainingSettings
from polymatch.training.agreement import refuse_drift, start_alike
from polymatch.training.batches import Batches
from polymatch.training.events import Events
from polymatch.training.optimiser import make_optimiser
from polymatch.training.resume import ResumePoint
from polymatch.training.schedules import Plateau, make_schedule, step
from polymatch.training.streamed import make_batches
from polymatch.training.validation import val_loss, validate
from polymatch.whole_batch import can_be_shared

Report = Callable[[int, dict[str, Any]], bool]


def train(
    model: RetrievalModel,
    train_set: TrainingSet | StoredTrainingSet,
    val_set: RetrievalSet,
    seed: int,
    label: str = "training",
    *,
    report: Report | None = None,
    resume: ResumePoint | None = None,
    last: Path | None = None,
    tensorboard: Path | None = None,
) -> pd.DataFrame:
    """Train ``model`` in place and return its history, one row an epoch.

    Columns: epoch, lr, the loss and its parts (means over the epoch), ``val_loss``,
    ``val_t2v_r1``, ``val_v2t_r1``, ``val_r1`` (their mean), ``val_rsum`` and its two parts
    ``val_t2v_rsum`` and ``val_v2t_rsum``, the model's
    diagnostics on val, seconds (since the start), ``kept`` (true for the epoch whose weights the
    model has in the end). Row 0 is the untrained model; it is the only one where nothing is to be
    trained. How to train is in the model's own settings.

    Args:
        report: called with every epoch's number and row; training stops there if it says so.
        resume: where the state is saved, and taken from if it is there; whoever has it removes it
            when all is written.
        last: folder for a checkpoint of the last epoch's model, whichever is kept.
        tensorboard: folder for TensorBoard events, where the settings ask for them.

    Of several processes, only the first one writes; all return the same.

    Raises:
        NumericsError: the gradient is not finite, or the processes' weights are not the same; the
            message says when.
        DataError: the processes have different data or settings.
    """
    settings = model.settings
    if not (isinstance(settings, TrainedSettings) and settings.trained):
        if last is not None:
            save_model(model, last)
        return pd.DataFrame([_row(0, 0.0, {}, validate(model, val_set), 0.0) | {"kept": True}])
    training = _Training(model, train_set, val_set, settings.training, seed)
    with _no_denormals():
        training.run(label, report, resume, tensorboard if settings.training.tensorboard else None)
    if last is not None and distributed.rank() == 0:
        save_model(model, last)
    training.take_best()
    # The last row has every column, in the order in which a person reads them.
    history = pd.DataFrame(training.history, columns=list(training.history[-1]))
    history["kept"] = history["epoch"] == training.kept
    return history


class _Training:
    """All that changes while a model is trained; ``state`` and ``restore`` are its two ends."""

    def __init__(
        self,
        model: RetrievalModel,
        train_set: TrainingSet | StoredTrainingSet,
        val_set: RetrievalSet,
        settings: TrainingSettings,
        seed: int,
    ) -> None:
        self.model, self.val_set, self.settings, self.seed = model, val_set, settings, seed
        self.started = time.perf_counter()
        start_alike(model, train_set, val_set, seed)
        figures = validate(model, val_set)
        self.history = [_row(0, 0.0, {}, figures, 0.0)]
        torch.manual_seed(seed)
        self.order = torch.Generator().manual_seed(seed)
        size, shared = settings.batch_size, can_be_shared(model)
        self.batches = make_batches(train_set, size, model.device, shared)
        self.val_batches = Batches(val_set.as_pairs(), size, model.device, shared)
        module = importlib.import_module(model.settings.loss_module)
        self.loss = module.TrainingLoss(model).to(model.device)
        both = [*model.parameters(), *self.loss.parameters()]
        self.parameters = [parameter for parameter in both if parameter.requires_grad]
        self.optimiser = make_optimiser(self.parameters, settings)
        self.schedule = make_schedule(self.optimiser, settings)
        self.events: Events | None = None
        self.best, self.kept, self.stale = -1.0, 0, 0
        self.weights, self.attached = deepcopy(model.state_dict()), model.attachments()
        # Of the epoch that is under way: its order, batches trained on, sums of their losses.
        self.epoch_order = self.order.get_state()
        self.done, self.totals = 0, dict[str, torch.Tensor]()
        self.resume: ResumePoint | None = None

    def run(
        self,
        label: str,
        report: Report | None,
        resume: ResumePoint | None,
        tensorboard: Path | None,
    ) -> None:
        """Train until the epochs are done, patience is out, or ``report`` says so."""
        first = distributed.rank() == 0
        self.resume = resume if first else None
        # The first one reads it for all: others may be on machines that see it later.
        saved = distributed.same_everywhere(self.resume.load() if self.resume else None)
        if saved is not None:
            self.restore(saved)
        epochs, done = self.settings.epochs, len(self.history) - 1
        if tensorboard is not None and first:
            self.events = Events(tensorboard, done + 1)
        for epoch in tqdm(
            range(done + 1, epochs + 1),
            desc=label,
            initial=done,
            total=epochs,
            mininterval=5,
            unit="epoch",
            disable=not first,
        ):
            if self.settings.patience is not None and self.stale >= self.settings.patience:
                break
            row = self.epoch(epoch)
            if self.events is not None:
                self.events.epoch(row)
            if report is not None and report(epoch, row):
                break
            if self.resume is not None:
                self.resume.save(self.state)
        if self.events is not None:
            self.events.close()

    def epoch(self, epoch: int) -> dict[str, Any]:
        """Train and validate once; return the row of the history."""
        lr = float(self.schedule.get_last_lr()[0])
        if not self.done:
            self.epoch_order, self.totals = self.order.get_state(), {}
            self.model.before_epoch(epoch, self.batches.sample)
        losses = self._one_epoch(epoch)
        self.done = 0
        step(self.schedule)
        figures = {
            "val_loss": val_loss(self.model, self.loss, self.val_batches, self.seed)
        } | validate(self.model, self.val_set)
        # Processes stop and select together, whatever the last bits of their own figures.
        figures = distributed.same_everywhere(figures)
        row = _row(epoch, lr, losses, figures, time.perf_counter() - self.started)
        self.history.append(row)
        select = self.settings.select
        better = select == "last" or figures[select] > self.best
        if better:
            self.best, self.kept, self.stale = figures.get(select, self.best), epoch, 0
            self.weights = deepcopy(self.model.state_dict())
            self.attached = self.model.attachments()
        else:
            self.stale += 1
        if isinstance(self.schedule, Plateau) and self.schedule.judge(better):
            self.take_best()
        return row

    def take_best(self) -> None:
        """Give the model the weights of the kept epoch."""
        self.model.load_state_dict(self.weights)
        self.model.attach(self.attached)
        self.model.eval()

    def state(self) -> dict[str, Any]:
        """Everything that decides what the next batch, or epoch, does; of all processes alike."""
        return {
            "model": self.model.state_dict(),
            "attachments": self.model.attachments(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self.epoch_order if self.done else self.order.get_state(),
            "batches": self.done,
            "totals": self.totals,
            "random": random_state(self.model.device),
            "history": self.history,
            "seconds": time.perf_counter() - self.started,
            "best": [self.best, self.kept, self.stale],
            "best_model": self.weights,
            "best_attachments": self.attached,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self.model.load_state_dict(state["model"])
        self.model.attach(state["attachments"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.order.set_state(state["order"])
        self.epoch_order, self.done = state["order"], state["batches"]
        self.totals = state["totals"]
        restore_random_state(state["random"], self.model.device)
        self.history = state["history"]
        self.best, self.kept, self.stale = state["best"]
        self.weights, self.attached = state["best_model"], state["best_attachments"]
        self.started = time.perf_counter() - state["seconds"]

    def _one_epoch(self, epoch: int) -> dict[str, float]:
        self.model.train()
        self.loss.train()
        for batch in self.batches.epoch(self.order, self.done):
            parts = self.loss(self.model, batch)
            self.optimiser.zero_grad(set_to_none=True)
            (parts["loss"] / distributed.world_size()).backward()
            distributed.sum_gradients(self.parameters)
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
            if not norm.isfinite():
                # Clipping by an infinite norm would set every gradient to zero.
                loss = float(parts["loss"].detach())
                raise NumericsError(
                    f"the gradient is not finite in epoch {epoch} (loss {loss:g}); lower "
                    "`training.lr`, raise `tau`, or take a teacher that covers where the head is"
                )
            self.optimiser.step()
            self.loss.after_step(self.model)
            if self.events is not None:
                self.events.batch((epoch - 1) * len(self.batches) + self.done, parts)
            for name, part in parts.items():
                total = self.totals.get(name, torch.zeros((), device=part.device))
                self.totals[name] = total + part.detach().float()
            self.done += 1
            # That of any process: the step was taken by all.
            if self.resume is not None:
                self.resume.save(self.state, within=True)
        refuse_drift(self.parameters, epoch)
        return {name: float(total) / len(self.batches) for name, total in self.totals.items()}


def _row(
    epoch: int, lr: float, losses: dict[str, float], figures: dict[str, float], seconds: float
) -> dict[str, Any]:
    return {"epoch": epoch, "lr": lr, **losses, **figures, "seconds": seconds}


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
