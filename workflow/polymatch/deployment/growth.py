"""How the cost of an answer grows with the gallery.

Larger galleries are the encoded test items over and over, each time with their numbers moved on by
one place (so that no two are equal), prepared like real ones. What is found in them means nothing;
what it costs does not depend on that.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from polymatch.data.splits import RetrievalSet
from polymatch.deployment.timing import peak_memory, reset_peak_memory, statistics, times
from polymatch.device import on_device
from polymatch.models import RetrievalModel, load_model
from polymatch.settings.stages import BenchmarkSettings
from polymatch.training.scoring import encoded_rows

# Items that are encoded together: enough for the processor, little beside the gallery.
_BLOCK, _BLOCK_NUMBERS = 4096, 1 << 24
_LARGER = 1e-3


@torch.inference_mode()
def measure_growth(
    run_directory: Path,
    data: RetrievalSet,
    kind: str,
    settings: BenchmarkSettings,
    device: torch.device,
) -> pd.DataFrame:
    """Time a single query and a batch of them against each size of ``settings.gallery``.

    A size at which the batch would take longer than ``settings.longest``, as the one before tells,
    is left out, and so are those after it.

    Returns:
        A frame as ``workflow/schemas/growth.schema.json`` describes it, two rows a size. Memory is
        the peak of making, preparing and searching a gallery of that size; where only the
        process's peak is known it is the highest so far, and sizes ascend.
    """
    torch.set_num_threads(settings.threads)
    model = load_model(run_directory, device)
    items, captions = on_device(data.items), on_device(data.captions, device)
    rows: list[dict[str, Any]] = []
    for size in settings.gallery:
        if rows and rows[-1]["latency_ms"] * size / rows[-1]["gallery"] > 1000 * settings.longest:
            print(f"a gallery of {size} items is left out: a batch would take too long (`longest`)")
            break
        reset_peak_memory(device)
        gallery = model.prepare_items(encoded_gallery(model, items, size, device), kind)
        for number in dict.fromkeys((1, settings.gallery_batch)):
            batch = captions[torch.arange(number, device=device) % len(captions)]
            taken = times(
                partial(_answer, model, gallery, batch, kind),
                settings.warmup,
                settings.runs,
                device,
                settings.gallery_seconds,
            )
            rows.append(
                {
                    "gallery": size,
                    "queries": number,
                    **statistics("latency", taken),
                    "memory_mb": peak_memory(device),
                    "runs": len(taken),
                }
            )
        del gallery
    columns = ["gallery", "queries", *(f"latency{s}_ms" for s in _STATISTICS), "memory_mb", "runs"]
    return pd.DataFrame(rows, columns=columns)


_STATISTICS = ("", "_mean", "_sd", "_lo", "_hi")


def _answer(model: RetrievalModel, gallery: Any, batch: Tensor, kind: str) -> Tensor:
    return model.similarity(gallery, model.encode_captions(batch), kind)


def encoded_gallery(model: RetrievalModel, items: Any, size: int, device: torch.device) -> Any:
    """A gallery of ``size`` encoded items, made from ``items`` [N, ...]; the first N are these.

    A larger gallery begins with a smaller one.
    """
    first = items[torch.arange(1)]
    block = max(1, min(_BLOCK, _BLOCK_NUMBERS // first.numel()))
    starts = range(0, min(size, len(items)), block)
    blocks = [items[torch.arange(s, min(s + block, size, len(items)))] for s in starts]
    encoded = _joined([model.encode_items(part.to(device)) for part in blocks])
    times_over = -(-size // len(items))
    copies = _joined([_moved(encoded, places) for places in range(times_over)])
    return encoded_rows(copies, slice(size))


def _moved(encoded: Any, places: int) -> Any:
    """Encodings whose numbers are moved on: tensors, or (named) tuples of such.

    Once they are where they began they are a little larger instead.
    """
    if not isinstance(encoded, Tensor):
        return type(encoded)(*(_moved(part, places) for part in encoded))
    if encoded.ndim < 2:
        return encoded
    around, rest = divmod(places, encoded.shape[-1])
    return encoded.roll(rest, -1) * (1 + _LARGER * around)


def _joined(parts: list[Any]) -> Any:
    """Put encodings of blocks together: tensors, or (named) tuples of such."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    joined = [_joined(list(of_one)) for of_one in zip(*parts, strict=True)]
    return type(parts[0])(*joined)
