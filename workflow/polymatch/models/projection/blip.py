"""The head `blip`: that of `mlp`.

Deviation from the published code: the copy that follows slowly is not part of the head. It is used
by the loss alone, so the loss `blip` has it, for whichever head it trains.
"""

from __future__ import annotations

from polymatch.models.projection import mlp


class Head(mlp.Head):
    """Features [N, width] -> [N, output_dim]."""
