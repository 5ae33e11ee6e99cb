"""Dynamic quantisation: linear layers and GRUs whose weights are 8-bit numbers, computed as such.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, with scales that are taken from what comes in (dynamic). Weights have a scale
for each output channel, inputs one for each row: each frame, word or state of its own.
``torch.ao.quantization.quantize_dynamic`` has one for all rows together, with which an embedding
depends on what else is in its batch; that is why these modules are ours. The products are those of
its kernel (FBGEMM): sums of whole numbers, exact and the same on every x86 processor, since inputs
have 7 bits, more of which overflow on those without VNNI.

Where that kernel is missing (GPUs, ARM, a PyTorch without it), the same weights are multiplied as
floats, and inputs are not rounded. Weights are as small there, and speed is that of floats.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from polymatch.models import dual_encoding
from polymatch.models.compact import rows_from_int8, rows_to_int8
from polymatch.models.pruned.parts import float_weights, modules_of

_LEVELS, _MIDDLE = 63, 64  # inputs are whole numbers from -63 to 63, stored from 1 to 127


class Int8Linear(nn.Module):
    """A linear layer without bias whose weight [N, K] is whole numbers with a scale for each row.

    The kernel keeps a copy of the weight in an order of its own, from the first use on.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        whole, scales = rows_to_int8(weight.detach())
        self.whole = nn.Parameter(whole, requires_grad=False)
        self.scales = nn.Parameter(scales, requires_grad=False)
        self._packed: Any = None

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [..., K] times the transposed weight, [..., N]."""
        return self.in_int8(rows) if _has_kernel(rows) else self.in_floats(rows)

    def in_int8(self, rows: Tensor) -> Tensor:
        """The product in whole numbers."""
        if self._packed is None:
            self._packed = self._prepacked()
        # Every row is brought to -1 to 1 and back, so that one scale is that of each.
        largest = rows.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            (rows / largest).contiguous(), 1 / _LEVELS, _MIDDLE, self._packed
        )
        return product * largest

    def in_floats(self, rows: Tensor) -> Tensor:
        """The product in floats, where there is no other."""
        return F.linear(rows, rows_from_int8(self.whole, self.scales))

    @property
    def packed_bytes(self) -> int:
        """Bytes of the kernel's copy."""
        return self.whole.numel() if self._packed is not None else 0

    def _prepacked(self) -> Any:
        zeros = torch.zeros(len(self.scales), dtype=torch.long)
        with warnings.catch_warnings():
            # PyTorch will give up tensors of such a type; the kernel takes its weight as one.
            warnings.simplefilter("ignore", UserWarning)
            weight = torch._make_per_channel_quantized_tensor(
                self.whole.detach(), self.scales.detach().double(), zeros, 0
            )
        return torch.ops.quantized.linear_prepack(weight, None)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._packed = None
        super()._load_from_state_dict(*args, **kwargs)


class Int8Projection(Int8Linear):
    """An ``nn.Linear`` in 8 bits; the bias is a float."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.weight)
        self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + self.bias


class Int8GRU(nn.Module):
    """An ``nn.GRU`` of one layer in 8 bits, for packed rows; gates and states are floats."""

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.size = gru.hidden_size
        self.directions = nn.ModuleList(
            _Direction(gru, suffix) for suffix in ["", "_reverse"][: 1 + gru.bidirectional]
        )

    def forward(self, packed: PackedSequence) -> tuple[PackedSequence, None]:
        """What the GRU gives at each place, [rows, directions * size], packed as they came."""
        outputs = [
            direction(packed.data, packed.batch_sizes.tolist(), backwards=bool(number))
            for number, direction in enumerate(self.directions)
        ]
        return packed._replace(data=torch.cat(outputs, 1)), None


class _Direction(nn.Module):
    def __init__(self, gru: nn.GRU, suffix: str) -> None:
        super().__init__()
        self.read = Int8Linear(getattr(gru, f"weight_ih_l0{suffix}"))
        self.recur = Int8Linear(getattr(gru, f"weight_hh_l0{suffix}"))
        for name in ("bias_ih", "bias_hh"):
            bias = getattr(gru, f"{name}_l0{suffix}").detach().clone()
            setattr(self, name, nn.Parameter(bias, requires_grad=False))
        self.size = gru.hidden_size

    def forward(self, rows: Tensor, batch_sizes: list[int], backwards: bool) -> Tensor:
        """Rows of all first places, then all second ones, ...: the longest sequence comes first."""
        incoming = self.read(rows) + self.bias_ih
        steps = list(zip(torch.split(incoming, batch_sizes), batch_sizes, strict=True))
        # Backwards, a shorter sequence begins, with zeros, where its own end is.
        states = rows.new_zeros(batch_sizes[0], self.size)
        outputs = []
        for step, count in reversed(steps) if backwards else steps:
            before = states[:count]
            reset_in, update_in, new_in = step.chunk(3, 1)
            reset_h, update_h, new_h = (self.recur(before) + self.bias_hh).chunk(3, 1)
            update = torch.sigmoid(update_in + update_h)
            new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_h) * new_h)
            state = new + update * (before - new)
            states = torch.cat([state, states[count:]]) if count < len(states) else state
            outputs.append(state)
        return torch.cat(outputs[::-1] if backwards else outputs)


def quantise(model: dual_encoding.Model, parts: Sequence[str] | None) -> None:
    """Put GRUs and projections in 8 bits, in place; round what else is stored in 8 bits to them."""
    rounded = float_weights(model, parts)
    chosen = {id(m) for modules in modules_of(model, parts).values() for m in modules}
    for name, module in list(model.named_modules()):
        if id(module) in chosen and isinstance(module, nn.GRU | nn.Linear):
            parent, _, last = name.rpartition(".")
            new = Int8GRU(module) if isinstance(module, nn.GRU) else Int8Projection(module)
            setattr(model.get_submodule(parent), last, new)
    with torch.no_grad():
        for weight in rounded:
            weight.copy_(rows_from_int8(*rows_to_int8(weight)))


def _has_kernel(rows: Tensor) -> bool:
    return (
        rows.device.type == "cpu"
        and "fbgemm" in torch.backends.quantized.supported_engines
        and hasattr(torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32")
    )
