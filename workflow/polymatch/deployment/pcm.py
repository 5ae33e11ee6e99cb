"""Phase-change memory by the published statistical model: programming, drift, reading.

Nandakumar et al., "Phase-change memory models for deep learning training and inference", ICECS
2019; Joshi et al., "Accurate deep neural network inference using computational phase-change
memory", Nature Communications 2020. Measured on arrays of such devices; with r = g / 25 uS,

* programming leaves g + N(0, s(r)^2), s = 0.26348 + 1.9650 r - 1.1731 r^2 uS,
* then g falls as (t / 20 s)^-nu, nu of mean -0.0155 ln r + 0.0244 (0.049 to 0.1) and standard
  deviation -0.0125 ln r - 0.0059 (0.008 to 0.045), a device keeping its nu,
* and 1/f noise gives each reading a relative deviation of
  Q sqrt(ln((t + 250 ns) / 500 ns)), Q = min(0.0088 / r^0.65, 0.2).

A weight is the difference of two devices, one of which stands at 0 uS; the largest weight of an
array is 25 uS. Reading is compensated for drift globally: one factor for each array, the ratio of
its mean absolute weight as programmed to that when read (Joshi et al.).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

G_MAX = 25.0
_FIRST_READING = 20.0
_READ_TIME = 250e-9
_ZERO = 1e-7


@dataclass(frozen=True)
class ProgrammedWeights:
    """An array [out, in] after programming.

    ``conductances`` [2, out, in] in uS are the devices of positive and of negative weights,
    ``exponents`` (nu) of the same shape; ``unit`` is the weight of 1 uS.
    """

    conductances: Tensor
    exponents: Tensor
    unit: float

    def read(self, seconds: float, generator: torch.Generator) -> tuple[Tensor, float]:
        """Return the weights ``seconds`` after programming and the factor against drift.

        At 0 there is no drift yet, only the noise of reading.
        """
        now = drifted(self.conductances, self.exponents, seconds)
        noise = read_deviation(self.conductances, seconds).mul_(_normal(now, generator))
        now.addcmul_(now, noise).clamp_(min=0)
        weights = (now[0] - now[1]) * self.unit
        before = (self.conductances[0] - self.conductances[1]).abs().mean() * self.unit
        after = weights.abs().mean()
        return weights, float(before / after) if after > 0 else 1.0


def program(weights: Tensor, generator: torch.Generator) -> ProgrammedWeights:
    """Program weights [out, in] into pairs of devices."""
    unit = float(weights.abs().max()) / G_MAX or 1.0
    target = torch.stack([weights, -weights]).clamp_(min=0).div_(unit)
    conductances = target + programming_deviation(target) * _normal(target, generator)
    mean, deviation = drift_statistics(target)
    exponents = (mean + deviation * _normal(target, generator)).abs_()
    return ProgrammedWeights(conductances.clamp_(min=0), exponents, unit)


def programming_deviation(target: Tensor) -> Tensor:
    """Return the standard deviation in uS that programming to ``target`` (uS) leaves."""
    r = target / G_MAX
    return 0.26348 + r * (1.9650 - 1.1731 * r)


def drift_statistics(target: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the drift exponent for targets in uS."""
    log = (target / G_MAX).clamp_(min=_ZERO).log_()
    return (0.0244 - 0.0155 * log).clamp_(0.049, 0.1), (-0.0059 - 0.0125 * log).clamp_(0.008, 0.045)


def drifted(conductances: Tensor, exponents: Tensor, seconds: float) -> Tensor:
    """Return conductances (uS) ``seconds`` after programming, without noise."""
    # The first reading, which programming noise was measured by, was after 20 s.
    if seconds == 0:
        return conductances.clone()
    return conductances * (exponents * -math.log1p(seconds / _FIRST_READING)).exp_()


def read_deviation(conductances: Tensor, seconds: float) -> Tensor:
    """Return the relative standard deviation of a reading ``seconds`` after programming."""
    elapsed = seconds + _FIRST_READING
    growth = math.sqrt(math.log((elapsed + _READ_TIME) / (2 * _READ_TIME)))
    # 0.0088 r^-0.65, by its logarithm: powers take several times as long.
    log = (conductances / G_MAX).clamp_(min=_ZERO).log_()
    return log.mul_(-0.65).add_(math.log(0.0088)).exp_().clamp_(max=0.2).mul_(growth)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)
