"""Simulated analog arrays: a matrix product with 8-bit inputs, few-bit outputs and worn weights.

The arrays are those of IBM's AIHWKit-Lightning: the input is scaled by its own largest absolute
value (dynamic input range) and rounded to the DAC's levels, the output is rounded to the ADC's and
clipped at ``input range * out_bound * largest weight``. The bound belongs to the circuit, so it
keeps the value it got for the weights as they were meant, however those drift. The factor against
drift and the bias are digital, behind the ADC. A matrix is one array, whatever its size.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterable

from torch import Tensor, nn

with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has no Triton
    from aihwkit_lightning.nn import AnalogLinear, TorchLinear
    from aihwkit_lightning.simulator.configs import TorchInferenceRPUConfig

# An output range is chosen among these shares of the largest output.
_SHARES = tuple(share / 20 for share in range(3, 21))
_CALIBRATION_ROWS = 128


def array_config(dac_bits: int, adc_bits: int, out_bound: float) -> TorchInferenceRPUConfig:
    """Return AIHWKit-Lightning's settings for converters of these numbers of bits."""
    config = TorchInferenceRPUConfig()
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.dynamic = True
    config.forward.inp_res = levels(dac_bits)
    config.forward.out_res = levels(adc_bits)
    config.forward.out_bound = out_bound
    return config


def levels(bits: int) -> int:
    """Return the steps between the lowest and highest of a symmetric converter's values.

    >>> levels(8)
    254
    """
    return 2**bits - 2


def array_product(
    inputs: Tensor, worn: Tensor, target: Tensor, config: TorchInferenceRPUConfig
) -> Tensor:
    """Return ``inputs @ worn.T`` [B, out] as an array that was made for ``target`` gives it."""
    config = copy.deepcopy(config)
    config.forward.out_bound *= _bound_factor(worn, target)
    return TorchLinear.linear(
        inputs, worn, None, None, None, None, None, None, [worn.shape[1]], False, config, True
    )


def choose_out_bound(inputs: Tensor, weights: Tensor, dac_bits: int, adc_bits: int) -> float:
    """Return the ``out_bound`` that loses least of ``inputs @ weights.T``, in squared error.

    A wide range rounds coarsely, a narrow one clips: the fewer bits, the narrower. Inputs [B, in]
    are of the validation split; 128 of them, evenly spaced, are looked at.
    """
    inputs = inputs[:: max(1, len(inputs) // _CALIBRATION_ROWS)]
    exact = inputs @ weights.T
    unit = inputs.abs().amax(1, keepdim=True) * weights.abs().max()
    largest = float((exact / unit.clamp(min=1e-30)).abs().max()) or 1.0
    config = array_config(dac_bits, adc_bits, 1.0)
    errors = {}
    for share in _SHARES:
        config.forward.out_bound = share * largest
        found = array_product(inputs, weights, weights, config)
        errors[share * largest] = float((found - exact).square().mean())
    return min(errors, key=errors.__getitem__)


class ArrayLinear(nn.Module):
    """A linear layer on an array; the bias stays digital."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        bare = nn.Linear(layer.in_features, layer.out_features, bias=False)
        bare.weight.data = layer.weight.detach().clone()
        self.array = AnalogLinear.from_digital(bare, array_config(8, 8, 1.0))
        self.target = bare.weight.detach().clone()
        self.bias = None if layer.bias is None else layer.bias.detach().clone()
        self.gain = 1.0
        self.out_bound = 1.0
        self.eval()

    def converters(self, dac_bits: int, adc_bits: int, out_bound: float) -> None:
        """Set the converters."""
        self.out_bound = out_bound
        self.array.rpu_config = array_config(dac_bits, adc_bits, out_bound)
        self._fix_bound()

    def wear(self, weights: Tensor, gain: float) -> None:
        """Put the array's present weights and the digital factor in place."""
        self.array.weight.data = weights
        self.gain = gain
        self._fix_bound()

    def forward(self, x: Tensor) -> Tensor:
        y = self.array(x) * self.gain
        return y if self.bias is None else y + self.bias

    def _fix_bound(self) -> None:
        factor = _bound_factor(self.array.weight.data, self.target)
        self.array.rpu_config.forward.out_bound = self.out_bound * factor


def on_arrays(model: nn.Module) -> tuple[nn.Module, dict[str, ArrayLinear]]:
    """Return a copy of a model with every linear layer on an array, and those by name.

    The projections within ``nn.MultiheadAttention`` are no layers that are called: they stay
    digital. A head that wants them on arrays is made of ``nn.Linear``.
    """
    model = copy.deepcopy(model).cpu().eval()
    found = [name for name, layer in model.named_modules() if type(layer) is nn.Linear]
    arrays = {}
    for name in found:
        parent, _, last = name.rpartition(".")
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        arrays[name] = ArrayLinear(layer)
        setattr(model.get_submodule(parent), last, arrays[name])
    return model, arrays


class InputRecorder:
    """Keeps what each of some layers is given, while it is open."""

    def __init__(self, layers: Iterable[tuple[str, nn.Module]]) -> None:
        self.seen: dict[str, Tensor] = {}
        self._handles = [
            layer.register_forward_pre_hook(self._keep(name)) for name, layer in layers
        ]

    def __enter__(self) -> InputRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, name: str):  # type: ignore[no-untyped-def]
        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            self.seen[name] = args[0].detach().reshape(-1, args[0].shape[-1])

        return hook


def _bound_factor(worn: Tensor, target: Tensor) -> float:
    # The simulator takes the largest weight as it finds it; the circuit was set for the target's.
    meant, found = (float(w.abs().max()) if w.numel() else 0.0 for w in (target, worn))
    return meant / found if meant and found else 1.0
