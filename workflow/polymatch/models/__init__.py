"""Models: one module per family, each with a ``Model`` of the same three calls."""

from polymatch.models.model import (
    RetrievalModel,
    build_model,
    first_model,
    load_model,
    save_model,
)

__all__ = ["RetrievalModel", "build_model", "first_model", "load_model", "save_model"]
