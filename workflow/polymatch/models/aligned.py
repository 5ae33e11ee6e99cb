"""The baseline: cosine in the aligned space, nothing trained."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from polymatch.models.model import RetrievalModel


class Model(RetrievalModel):
    """Embeddings as they are, normalised; similarity is their cosine."""

    def encode_items(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=-1)

    def encode_captions(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=-1)

    def similarity(self, items: Tensor, captions: Tensor, kind: str | None = None) -> Tensor:
        return items @ captions.T

    def item_points(self, items: Tensor, kind: str | None = None) -> Tensor:
        """Embeddings themselves: of unit vectors the nearest has the largest cosine."""
        return items
