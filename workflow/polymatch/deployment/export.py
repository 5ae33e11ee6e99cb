"""A model as ONNX files, and the proof that they give the same scores.

Three files for one model and similarity: ``items.onnx`` and ``captions.onnx`` take embeddings
[N, D] and give that side's encoding (``mu`` and ``logvar`` of the probabilistic family),
``scorer.onnx`` takes both encodings, ``item_...`` and ``caption_...``, and gives ``similarity``
[N, M]. The numbers of items and captions are free. A similarity that samples exports its fixed
noise as constants.

Constants keep float64 where the graph has it, and the exporter's optimiser is off: the one rounds
constants to float32, the other takes an addition of 1e-9 for one of 0 and drops it, and either
moves the logits of a steep polynomial by 0.3% of their range.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import torch
from onnxscript import opset18

from polymatch.data.splits import RetrievalSet
from polymatch.deployment.graphs import STAGES, ModelGraphs
from polymatch.errors import DataError, NumericsError
from polymatch.files import written_atomically
from polymatch.models import RetrievalModel
from polymatch.training.scoring import score

TOLERANCE = 1e-4
# Typed for ONNX's own protocol buffers, but takes the exporter's tensors.
_OPERATORS: Any = opset18


def export_onnx(graphs: ModelGraphs, folder: Path | str) -> dict[str, Path]:
    """Write ``items.onnx``, ``captions.onnx`` and ``scorer.onnx``; return their paths by stage."""
    paths = {stage: Path(folder) / f"{stage}.onnx" for stage in STAGES}
    for stage, path in paths.items():
        inputs, outputs = _names(graphs, stage)
        with _quiet():
            program = torch.onnx.export(
                graphs.programs[stage],
                dynamo=True,
                input_names=inputs,
                output_names=outputs,
                custom_translation_table=_EXACT,
                optimize=False,
                verbose=False,
            )
        assert program is not None  # it is, with dynamo=True
        with written_atomically(path) as partial:
            program.save(partial)
    return paths


def check_export(
    paths: dict[str, Path],
    model: RetrievalModel,
    kind: str,
    data: RetrievalSet,
    tolerance: float = TOLERANCE,
) -> dict[str, float]:
    """Score ``data`` in onnxruntime, from embeddings to similarity, and compare with torch.

    Returns:
        ``onnx_max_difference``: the largest absolute difference of a score; ``onnx_score_range``:
        largest less smallest score, which is what a difference must be small against, since only
        the order of scores counts; ``onnx_relative_difference``: the one over the other;
        ``onnx_bytes``: size of the three files.

    Raises:
        NumericsError: the relative difference is above ``tolerance``, or not a number.
        DataError: a file is missing or broken.
    """
    expected = score(model, data, kind)
    found = onnx_similarity(paths, data.items, data.captions)
    if found.shape != expected.shape:
        raise NumericsError(
            f"{paths['scorer']}: gives similarity {list(found.shape)} for "
            f"{list(expected.shape)} items x captions; export again"
        )
    largest = float(np.abs(found - expected).max())
    scale = float(np.ptp(expected)) or 1.0
    if not largest <= tolerance * scale:
        raise NumericsError(
            f"{paths['scorer']}: a score differs by {largest:.3g} from the model's own, of a range "
            f"of {scale:.3g}; allowed is {tolerance:g} of it. Do not use these files"
        )
    return {
        "onnx_max_difference": largest,
        "onnx_score_range": scale,
        "onnx_relative_difference": largest / scale,
        "onnx_bytes": sum(path.stat().st_size for path in paths.values()),
    }


def onnx_similarity(paths: dict[str, Path], items: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Return the similarity [N, M] of embeddings [N, D] and [M, D], from the three files alone.

    Raises:
        DataError: a file is missing or broken.
    """
    encoded = _run(paths["items"], [items]) + _run(paths["captions"], [captions])
    return _run(paths["scorer"], encoded)[0]


def _run(path: Path, inputs: list[np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds share no base
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not a usable ONNX file ({reason}); export again") from error
    # A similarity that does not look at an input (a mean at its log-variance) still names it.
    named = {node.name: node for node in session.get_inputs()}
    arrays = (np.asarray(x, dtype=np.float32) for x in inputs)
    return list(session.run(None, dict(zip(named, arrays, strict=True))))


def _names(graphs: ModelGraphs, stage: str) -> tuple[list[str], list[str]]:
    if stage != "scorer":
        return ["embedding"], graphs.encoded[stage]
    sides = [
        [f"{side.removesuffix('s')}_{name}" for name in graphs.encoded[side]]
        for side in ("items", "captions")
    ]
    return sides[0] + sides[1], ["similarity"]


def _constant(
    s: float, dtype: int = 1, layout: str = "", device: str = "", pin_memory: bool = False
) -> Any:
    return _OPERATORS.Constant(value=onnx_ir.tensor(s, dtype=onnx_ir.DataType(dtype)))


def _full_like(
    self: Any,
    fill_value: float,
    dtype: int = -1,
    layout: str = "",
    device: str = "",
    pin_memory: bool = False,
    memory_format: str = "",
) -> Any:
    number = self.dtype if dtype == -1 else onnx_ir.DataType(dtype)
    value = _OPERATORS.Constant(value=onnx_ir.tensor(fill_value, dtype=number))
    return _OPERATORS.Expand(value, _OPERATORS.Shape(self))


# torch's own translations go through a float32 constant. Names and defaults are the operators'.
_EXACT: dict[Any, Any] = {
    torch.ops.aten.scalar_tensor.default: _constant,
    torch.ops.aten.full_like.default: _full_like,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks (no torchvision, deprecations inside torch) off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
