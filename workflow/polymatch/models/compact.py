"""Checkpoints as small as what is in them: zeros and 8-bit numbers are not stored as floats.

A safetensors file in which a float32 tensor may stand in one of two other forms:

* ``sparse``: one bit for each number, 1 where it is stored, and the stored numbers. Left out are
  only those whose 32 bits are zero (-0.0 is stored), so that the tensor comes back bit for bit. A
  tensor that would not be smaller so is stored as it is.
* ``int8``: whole numbers from -127 to 127 and a scale for each row (an output channel), whose
  product is the tensor that comes back. Scales have 16 significant bits: every product is exact,
  and a tensor that was read back is stored, and read, as the same numbers again.

Which tensors are stored so, and their shapes, is in the file's metadata under
``polymatch.compact``; a file without it is read as any safetensors file. (The published pruning
keeps its zeros as floats: its file is as large as before.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from polymatch.errors import DataError

Form = Literal["sparse", "int8"]

_MARK = "polymatch.compact"
_LARGEST = 127


def save_weights(path: Path, weights: Mapping[str, Tensor], forms: Mapping[str, Form]) -> None:
    """Write tensors into one file.

    Args:
        weights: name -> tensor on the CPU.
        forms: name -> form of those that are not stored as they are; float32.
    """
    stored: dict[str, Tensor] = {}
    described = {}
    for name, tensor in weights.items():
        form = forms.get(name)
        parts = {"sparse": _sparse, "int8": _rows_of_int8}[form](tensor) if form else None
        if parts is None:
            stored[name] = tensor.contiguous()
            continue
        described[name] = {"form": form, "shape": list(tensor.shape)}
        stored |= {f"{name}.{part}": value for part, value in parts.items()}
    save_file(stored, path, metadata={_MARK: json.dumps(described)} if forms else None)


def read_weights(path: Path, device: str | torch.device = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a file that :func:`save_weights` wrote, or of any safetensors file.

    Raises:
        DataError: the parts of a tensor are missing or contradict each other.
        SafetensorError: the file is truncated or no safetensors file.
        FileNotFoundError: there is none.
    """
    with safe_open(path, framework="pt", device=str(device)) as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        described = json.loads((file.metadata() or {}).get(_MARK, "{}"))
    weights = {}
    for name, of in described.items():
        read = {"sparse": _from_sparse, "int8": _from_int8}.get(of.get("form"))
        if read is None:
            raise DataError(
                f"{path}: {name} is stored as {of.get('form')!r}, which this version of Polymatch "
                "cannot read; read it with the version that wrote it"
            )
        weights[name] = read(f"{path}: {name}", name, stored, tuple(of["shape"]))
    return stored | weights


def rows_to_int8(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers, int8 of the shape [N, ...], and scales [N] whose product is nearly ``tensor``.

    The largest number of each row is 127 or -127; the error is at most half a scale. What the
    product gives is turned into the same numbers and scales again.

    >>> whole, scales = rows_to_int8(torch.tensor([[0.5, -1.27], [0.0, 0.0]]))
    >>> whole.tolist()
    [[50, -127], [0, 0]]
    """
    scales = _shortened(tensor.reshape(len(tensor), -1).abs().amax(1) / _LARGEST)
    along = scales.view(-1, *[1] * (tensor.ndim - 1))
    whole = torch.where(along > 0, tensor / along, 0).round()
    return whole.clamp(-_LARGEST, _LARGEST).to(torch.int8), scales


def rows_from_int8(whole: Tensor, scales: Tensor) -> Tensor:
    """The product of what :func:`rows_to_int8` gives: float32 of the shape of ``whole``."""
    return whole.float() * scales.view(-1, *[1] * (whole.ndim - 1))


def _shortened(scales: Tensor) -> Tensor:
    """The next number with 16 significant bits, so that 127 times it is exact in float32."""
    bits = scales.float().view(torch.int32)
    return ((bits + 0xFF) & ~0xFF).view(torch.float32)


def _sparse(tensor: Tensor) -> dict[str, Tensor] | None:
    values = tensor.contiguous().view(-1)
    there = values.view(torch.int32) != 0
    mask = torch.from_numpy(np.packbits(there.numpy()))
    if mask.nbytes + values.element_size() * int(there.sum()) >= values.nbytes:
        return None
    return {"mask": mask, "values": values[there]}


def _from_sparse(
    where: str, name: str, stored: dict[str, Tensor], shape: tuple[int, ...]
) -> Tensor:
    mask, values = _taken(where, stored, f"{name}.mask"), _taken(where, stored, f"{name}.values")
    count = prod(shape)
    bits = np.unpackbits(mask.cpu().numpy())
    if len(bits) != -(-count // 8) * 8 or int(bits[:count].sum()) != len(values):
        raise DataError(
            f"{where}: the mask of {len(bits)} bits, {int(bits.sum())} of them set, does not fit "
            f"{len(values)} numbers of a tensor of shape {list(shape)}; delete it and train again"
        )
    tensor = torch.zeros(count, dtype=values.dtype, device=values.device)
    tensor[torch.from_numpy(bits[:count]).bool().to(values.device)] = values
    return tensor.view(shape)


def _rows_of_int8(tensor: Tensor) -> dict[str, Tensor]:
    whole, scales = rows_to_int8(tensor)
    return {"int8": whole, "scales": scales}


def _from_int8(where: str, name: str, stored: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    whole, scales = _taken(where, stored, f"{name}.int8"), _taken(where, stored, f"{name}.scales")
    if tuple(whole.shape) != shape or tuple(scales.shape) != shape[:1]:
        raise DataError(
            f"{where}: whole numbers of shape {list(whole.shape)} and scales of shape "
            f"{list(scales.shape)} are no tensor of shape {list(shape)}; delete it and train again"
        )
    return rows_from_int8(whole, scales)


def _taken(where: str, stored: dict[str, Tensor], part: str) -> Tensor:
    if part not in stored:
        raise DataError(f"{where}: its part {part!r} is missing; delete it and train again")
    return stored.pop(part)
