"""Items like an item: the cosine of the vectors that a model makes of them.

They are those that its space is drawn of: of Gaussians the means, of regions the global vector.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import ConfigError
from polymatch.search.engine import SearchEngine
from polymatch.search.hits import Answers, Hit

_BLOCK = 1 << 16


class Neighbours:
    """The items of an engine's gallery beside each other."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine

    def of(self, item_id: str, k: int) -> Answers:
        """The ``k`` items most like one of the gallery, without itself.

        Raises:
            ConfigError: the gallery has no such item, or the model makes no vectors.
        """
        engine, vectors = self._engine, self._vectors
        row = self._rows.get(item_id)
        if row is None:
            raise ConfigError(f"no item {item_id!r} in gallery {engine.gallery.name!r}")
        scores = self._cosines(vectors, row)
        scores[row] = -np.inf
        number = min(k, len(scores) - 1)
        order = np.argsort(-scores, kind="stable")[:number]
        texts, files = engine.gallery.texts, engine.sides.files
        hits = [
            Hit(place + 1, item, float(scores[i]), None, texts.get(item), files.get(item))
            for place, i in enumerate(order)
            for item in [engine.gallery.item_ids[i]]
        ]
        return Answers(hits, item_id, k, len(scores) - 1)

    def _cosines(self, vectors: Tensor, row: int) -> np.ndarray:
        with torch.inference_mode():
            asked = torch.nn.functional.normalize(vectors[row], dim=0)
            parts = [
                torch.nn.functional.normalize(vectors[start : start + _BLOCK], dim=1) @ asked
                for start in range(0, len(vectors), _BLOCK)
            ]
            return torch.cat(parts).cpu().numpy()

    @cached_property
    def _vectors(self) -> Tensor:
        items = self._engine.items
        return self._engine.model.vectors(items, items)[0]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item: row for row, item in enumerate(self._engine.gallery.item_ids)}
