"""Losses: a family's module gives ``TrainingLoss``, a :class:`polymatch.losses.loss.Loss`."""

from polymatch.losses.daa import daa_loss

__all__ = ["daa_loss"]
