"""How the learning rate falls: along a cosine, in steps, or as the figures on val say."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import torch

from polymatch.settings.model import TrainingSettings


class Plateau:
    """The rate falls a little by itself, and much where val gets no better.

    Two published ways. Dual Encoding (Dong et al., TPAMI 2021): by ``decay`` after every epoch,
    and by ``stale_factor`` after an epoch that is not the best so far, once ``stale_epochs`` have
    passed since the last such fall. Dual Encoding++ (Lee et al., ICCE-Asia 2023; ``reload``): by
    ``decay`` after an epoch that is the best so far, and by ``stale_factor`` after every
    ``stale_epochs`` epochs in a row that are not, from the best weights on.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> None:
        self.optimiser, self.settings = optimiser, settings
        self.epochs = 0

    def get_last_lr(self) -> list[float]:
        """The rate of each group of parameters."""
        return [float(group["lr"]) for group in self.optimiser.param_groups]

    def step(self) -> None:
        """Nothing: the rate changes when the epoch was judged."""

    def judge(self, better: bool) -> bool:
        """Let the rate fall after an epoch; whether to go on from the best weights so far."""
        settings = self.settings
        self.epochs = 0 if better and settings.reload else self.epochs + 1
        if better or not settings.reload:
            self._fall(settings.decay)
        if better or self.epochs < settings.stale_epochs:
            return False
        self.epochs = 0
        self._fall(settings.stale_factor)
        return settings.reload

    def state_dict(self) -> dict[str, Any]:
        """What an optimiser's state does not say."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
        self.epochs = state["epochs"]

    def _fall(self, factor: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] *= factor


def step(schedule: Schedule) -> None:
    """Take the schedule an epoch further."""
    with warnings.catch_warnings():
        # A training may go on just here, so that its optimiser has made no step in this process.
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        schedule.step()


Schedule: TypeAlias = torch.optim.lr_scheduler.LRScheduler | Plateau


def make_schedule(optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> Schedule:
    """The schedule that the settings ask for, over epochs."""
    if settings.schedule == "plateau":
        return Plateau(optimiser, settings)
    if settings.step_epochs is not None:
        return torch.optim.lr_scheduler.StepLR(
            optimiser, settings.step_epochs, settings.step_factor
        )
    return torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, T_max=settings.epochs, eta_min=settings.lr * settings.final_lr
    )
