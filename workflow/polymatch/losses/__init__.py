"""Losses: a family's module gives ``training_loss(model, items, captions, positives)``."""
