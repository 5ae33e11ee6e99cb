"""Losses of projection heads: a module each, named by ``loss.type``, with its ``TrainingLoss``.

All of them work on the similarities that the model gives, so each goes with each head, and on the
batch's positives, so several captions of one item are never each other's negatives. (The published
first losses take the diagonal for the only positives.)
"""
