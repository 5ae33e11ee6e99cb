"""Losses: a family's module gives ``TrainingLoss``, a :class:`polymatch.losses.loss.Loss`."""
