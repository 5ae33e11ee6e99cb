"""The parts of a dual encoder that are pruned."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from polymatch.errors import ConfigError
from polymatch.models import dual_encoding
from polymatch.settings.explain import suggest

Parts = dict[str, list[nn.Module]]


def modules_of(model: dual_encoding.Model, parts: Sequence[str] | None) -> Parts:
    """Part -> its modules, of the parts asked for, or all.

    Raises:
        ConfigError: the model has no such part.
    """
    known = model.prunable()
    for part in parts or ():
        if part not in known:
            raise ConfigError(f"parts: the model has no part {part!r}; {suggest(part, known)}")
    return {part: known[part] for part in known if parts is None or part in parts}


def float_weights(model: dual_encoding.Model, parts: Sequence[str] | None) -> list[Tensor]:
    """Weights that are stored in 8 bits and computed in floats: convolutions', and of all words."""
    modules = [m for of_part in modules_of(model, parts).values() for m in of_part]
    weights = [module.weight for module in modules if isinstance(module, nn.Conv1d)]
    return weights if parts is not None else [*weights, model.captions.embedding.weight]
