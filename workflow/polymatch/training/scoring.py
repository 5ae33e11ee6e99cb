"""Score a model on a retrieval set: the one way to a similarity matrix, for val and test alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.models import RetrievalModel


def score(model: RetrievalModel, data: RetrievalSet, kind: str | None = None) -> np.ndarray:
    """Return the similarity of every item with every query, [N, M], in evaluation mode."""
    with torch.inference_mode():
        return model.similarity(*encode(model, data), kind).cpu().numpy()


def encode(model: RetrievalModel, data: RetrievalSet | TrainingSet) -> tuple[Any, Any]:
    """Encode both sides of a split, a row each, in evaluation mode and without gradients."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return (
                model.encode_items(_tensor(data.items, model)),
                model.encode_captions(_tensor(data.captions, model)),
            )
    finally:
        model.train(training)


def _tensor(features: np.ndarray, model: RetrievalModel) -> torch.Tensor:
    return torch.as_tensor(features, dtype=torch.float32, device=model.device)
