"""Mean and variance of the squared distance between Gaussian embeddings, for all pairs at once.

For two independent diagonal Gaussians with d = mu_a - mu_b and s = v_a + v_b (v = exp(logvar)),

    ed = sum(d^2 + s) / D        vd = sum(2 s^2 + 4 d^2 s) / D^2

(Chun et al., CVPR 2021, equation 4 has the distance; the moments are those of a noncentral
chi-square.) Two decisions make this exact and cheap:

- Each variance vector is split into its mean over the dimensions and the rest, s = S + s'. Then
  D^2 vd = 2 D S^2 + 4 S |d|^2 + 4 R with R = sum(s'^2 / 2 + d^2 s'), so the large terms are row and
  column constants in float64, and only the small rest R is a float32 product. The split is made
  row by row: what a pair gets never depends on what else was in the batch.
- |d|^2 is one D-wide product and R four; nothing is ever N x M x D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import NumericsError

_NUMPY_TYPES = {torch.float32: np.float32, torch.float64: np.float64}

# Pairs evaluated, and numbers of paired rows, at once.
_PAIRS = 1 << 20
_PAIRED_NUMBERS = 1 << 17
# Up to these widths a float64 product of all factors costs no more than what surrounds it.
_NARROW = 64
_NARROW_UNTRAINED = 512


@overload
def distance_moments(
    mu_a: np.ndarray, logvar_a: np.ndarray, mu_b: np.ndarray, logvar_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def distance_moments(
    mu_a: Tensor, logvar_a: Tensor, mu_b: Tensor, logvar_b: Tensor
) -> tuple[Tensor, Tensor]: ...
def distance_moments(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
) -> tuple[np.ndarray, np.ndarray] | tuple[Tensor, Tensor]:
    """Return ``ed`` and ``vd``, [N, M] each in float64, of every pair of two sets of Gaussians.

    ``mu_a``, ``logvar_a`` are [N, D], ``mu_b``, ``logvar_b`` [M, D]; NumPy in, NumPy out.
    Differentiable for tensors. The product of the means is made in float64, where the distance of
    near points would cancel; the others in the precision of the inputs, or in float64 where the
    width is small. (On Apple's MPS, which has no float64, everything is float32.)

    Raises:
        NumericsError: the shapes do not fit together.

    >>> mu, logvar = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    >>> ed, vd = distance_moments(mu, logvar, -mu, logvar)
    >>> ed, vd  # d^2 = (4, 0), s = (2, 2): (4 + 4) / 2 and (16 + 32) / 4
    (array([[4.]]), array([[12.]]))
    """
    tensors = as_tensors(mu_a, logvar_a, mu_b, logvar_b)
    ed, vd = _all_pairs(*tensors)
    if isinstance(mu_a, Tensor):
        return ed, vd
    return ed.numpy(), vd.numpy()


@overload
def paired_distance_moments(
    mu_a: np.ndarray, logvar_a: np.ndarray, mu_b: np.ndarray, logvar_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def paired_distance_moments(
    mu_a: Tensor, logvar_a: Tensor, mu_b: Tensor, logvar_b: Tensor
) -> tuple[Tensor, Tensor]: ...
def paired_distance_moments(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
) -> tuple[np.ndarray, np.ndarray] | tuple[Tensor, Tensor]:
    """Return ``ed`` and ``vd``, [P] each in float64, of P pairs given as rows of [P, D].

    Raises:
        NumericsError: the shapes do not fit together.

    >>> mu, logvar = np.eye(2), np.zeros((2, 2))
    >>> paired_distance_moments(mu, logvar, mu, logvar)
    (array([2., 2.]), array([4., 4.]))
    """
    tensors = as_tensors(mu_a, logvar_a, mu_b, logvar_b, paired=True)
    if any(tensor.requires_grad for tensor in tensors):
        ed, vd = _paired(*tensors)
    else:
        rows = max(1, _PAIRED_NUMBERS // tensors[0].shape[1])
        blocks = zip(*(torch.split(tensor, rows) for tensor in tensors), strict=True)
        parts = [_paired(*block) for block in blocks]
        ed, vd = (torch.cat(moment) for moment in zip(*parts, strict=True))
    if isinstance(mu_a, Tensor):
        return ed, vd
    return ed.numpy(), vd.numpy()


@dataclass(frozen=True, eq=False)
class MomentFactors:
    """One side of the products behind the moments, prepared once per gallery.

    ``means`` [N, D] are mu itself (not copied where the precision allows). ``spread`` [N, 3 D]
    holds v', mu^2, mu v' of the items, and v' + mu^2, v', mu v' of the captions, v' being the
    variance less its mean. ``square_norm`` (|mu|^2), ``variance`` (the mean) and ``constant`` (what
    R has of this side alone) are [N].
    """

    means: Tensor
    spread: Tensor
    square_norm: Tensor
    variance: Tensor
    constant: Tensor
    side: str

    @property
    def width(self) -> int:
        """The embedding width D."""
        return self.means.shape[1]

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, rows: slice) -> MomentFactors:
        return MomentFactors(
            self.means[rows],
            self.spread[rows],
            self.square_norm[rows],
            self.variance[rows],
            self.constant[rows],
            self.side,
        )

    def to(self, means: torch.dtype, spread: torch.dtype) -> MomentFactors:
        """Return the same with the factors in other precisions."""
        return replace(self, means=self.means.to(means), spread=self.spread.to(spread))


def item_factors(mu: Tensor, logvar: Tensor, dtype: torch.dtype | None = None) -> MomentFactors:
    """Prepare the rows of a similarity matrix; ``dtype`` is that of the products.

    Without ``dtype``, float64 inputs keep float64 and all others are made float32.
    """
    return _prepare(mu, logvar, "items", dtype)


def caption_factors(mu: Tensor, logvar: Tensor, dtype: torch.dtype | None = None) -> MomentFactors:
    """Prepare the columns of a similarity matrix (see :func:`item_factors`)."""
    return _prepare(mu, logvar, "captions", dtype)


def rest_product(
    items: MomentFactors, captions: MomentFactors, out: Tensor | None = None
) -> Tensor:
    """Return R without either side's ``constant``, [N, M], in the precision of the factors."""
    pair = 2 * items.width
    rest = torch.mm(items.spread[:, :pair], captions.spread[:, :pair].T, out=out)
    first = (items.spread[:, pair:], captions.means.to(captions.spread.dtype).T)
    second = (items.means.to(items.spread.dtype), captions.spread[:, pair:].T)
    if wants_gradient(rest):
        return torch.addmm(torch.addmm(rest, *first, alpha=-2), *second, alpha=-2)
    return rest.addmm_(*first, alpha=-2).addmm_(*second, alpha=-2)


def as_tensors(
    mu_a: np.ndarray | Tensor,
    logvar_a: np.ndarray | Tensor,
    mu_b: np.ndarray | Tensor,
    logvar_b: np.ndarray | Tensor,
    paired: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four as floating tensors of fitting shapes, or say what does not fit."""
    a, la, b, lb = (_as_tensor(x) for x in (mu_a, logvar_a, mu_b, logvar_b))
    for name, mu, logvar in (("a", a, la), ("b", b, lb)):
        if mu.ndim != 2 or mu.shape != logvar.shape or mu.shape[1] == 0:
            raise NumericsError(
                f"moments: mu_{name} is {list(mu.shape)} and logvar_{name} {list(logvar.shape)}; "
                "both must be [rows, D] and alike"
            )
    if a.shape[1] != b.shape[1]:
        raise NumericsError(
            f"moments: mu_a has width {a.shape[1]} and mu_b {b.shape[1]}; "
            "give embeddings of one space"
        )
    if paired and len(a) != len(b):
        raise NumericsError(f"moments: {len(a)} rows on side a and {len(b)} on b do not pair up")
    return a, la, b, lb


def wide_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on the one kind of device that has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def wants_gradient(*tensors: Tensor) -> bool:
    """Return whether autograd would follow what is computed from these.

    While a model is exported as a graph, too: both need the plain functions, without blocks,
    buffers, or choices that depend on the data.
    """
    if torch.compiler.is_exporting():
        return True
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def elementwise_block(device: torch.device) -> int:
    """Return how many numbers to work on at once in a chain of element-wise steps.

    On a CPU the few arrays of a chain then stay in each core's cache; elsewhere a block is large
    enough to occupy the device.
    """
    return torch.get_num_threads() << 16 if device.type == "cpu" else 1 << 22


def large_empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return an uninitialised tensor; on a CPU by NumPy, which asks the kernel for huge pages.

    The first touch of 40 MB in small pages takes longer than a similarity's polynomial does.
    """
    if device.type == "cpu" and dtype in _NUMPY_TYPES:
        return torch.from_numpy(np.empty(shape, _NUMPY_TYPES[dtype]))
    return torch.empty(shape, dtype=dtype, device=device)


def _as_tensor(values: np.ndarray | Tensor) -> Tensor:
    tensor = values if isinstance(values, Tensor) else torch.as_tensor(np.ascontiguousarray(values))
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _all_pairs(
    mu_a: Tensor, logvar_a: Tensor, mu_b: Tensor, logvar_b: Tensor
) -> tuple[Tensor, Tensor]:
    wide = wide_dtype(mu_a.device)
    trained = wants_gradient(mu_a, logvar_a, mu_b, logvar_b)
    small = mu_a.shape[1] <= (_NARROW if trained else _NARROW_UNTRAINED)
    # A graph cannot look how steep the surrogate is, and a steep one needs float64.
    dtype = wide if small or torch.compiler.is_exporting() else None
    items = item_factors(mu_a, logvar_a, dtype)
    captions = caption_factors(mu_b, logvar_b, dtype)
    if trained:
        return _moments(items, captions)
    shape = (len(items), len(captions))
    ed = torch.empty(shape, dtype=wide, device=mu_a.device)
    vd = torch.empty_like(ed)
    rows = max(1, _PAIRS // max(1, len(captions)))
    for start in range(0, len(items), rows):
        block = slice(start, start + rows)
        ed[block], vd[block] = _moments(items[block], captions)
    return ed, vd


def _moments(items: MomentFactors, captions: MomentFactors) -> tuple[Tensor, Tensor]:
    dim, wide = items.width, items.variance.dtype
    with torch.autocast(items.means.device.type, enabled=False):
        a, b = items.means.to(wide), captions.means.to(wide)
        product = a @ b.T
        rest = rest_product(items, captions).to(wide)
    # Not the prepared square_norm: its float32 squares are right to 1e-9, not to nearby means.
    distance = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * product
    variance = items.variance[:, None] + captions.variance
    rest = rest + items.constant[:, None] + captions.constant
    ed = distance / dim + variance
    vd = (variance * (distance + (dim / 2) * variance) + rest) * (4 / dim**2)
    return ed, vd


def _paired(
    mu_a: Tensor, logvar_a: Tensor, mu_b: Tensor, logvar_b: Tensor
) -> tuple[Tensor, Tensor]:
    wide = wide_dtype(mu_a.device)
    dim = mu_a.shape[1]
    square = (mu_a.to(wide) - mu_b.to(wide)).square()
    variance = logvar_a.to(wide).exp() + logvar_b.to(wide).exp()
    ed = (square + variance).sum(1) / dim
    vd = (variance * (2 * variance + 4 * square)).sum(1) / dim**2
    return ed, vd


def _prepare(mu: Tensor, logvar: Tensor, side: str, dtype: torch.dtype | None) -> MomentFactors:
    wide = wide_dtype(mu.device)
    if dtype is None:
        dtype = wide if torch.float64 in (mu.dtype, logvar.dtype) else torch.float32
    means = mu.to(dtype)
    if wants_gradient(mu, logvar):
        spread, norm, variance, constant = _factor_rows(mu.to(wide), logvar.to(wide), side)
        return MomentFactors(means, spread.to(dtype), norm, variance, constant, side)
    spread = large_empty((len(mu), 3 * mu.shape[1]), dtype, mu.device)
    constants = torch.empty((3, len(mu)), dtype=wide, device=mu.device)
    rows = max(1, elementwise_block(mu.device) // mu.shape[1])
    with torch.no_grad():
        for start in range(0, len(mu), rows):
            block = slice(start, start + rows)
            _fill_rows(spread[block], constants[:, block], means[block], logvar[block], side)
    return MomentFactors(means, spread, constants[0], constants[1], constants[2], side)


def _fill_rows(spread: Tensor, constants: Tensor, mu: Tensor, logvar: Tensor, side: str) -> None:
    """Write what :func:`_factor_rows` returns: the same in fewer and narrower passes."""
    first, second, third = spread.view(len(mu), 3, -1).unbind(1)
    rest, square = (first, second) if side == "items" else (second, first)
    # Widened and narrowed by copies: arithmetic of mixed precision is several times slower.
    wide = logvar.to(constants.dtype, copy=True).exp_()
    variance = torch.mean(wide, 1, keepdim=True)
    constants[1] = variance[:, 0]
    rest.copy_(wide.sub_(variance))
    torch.mul(mu, mu, out=square)
    torch.mul(mu, rest, out=third)
    constants[0] = wide.copy_(square).sum(1)
    constants[2] = wide.copy_(torch.add(square, rest, alpha=0.5).mul_(rest)).sum(1)
    if side == "captions":
        square += rest


def _factor_rows(mu: Tensor, logvar: Tensor, side: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Factors of R = sum(s'^2 / 2 + d^2 s') and the constants, for a block of rows."""
    variance = logvar.exp()
    mean = variance.mean(1)
    rest = variance - mean[:, None]
    square = mu * mu
    constant = ((0.5 * rest + square) * rest).sum(1)
    pair = [rest, square] if side == "items" else [rest + square, rest]
    spread = torch.cat([*pair, mu * rest], 1)
    return spread, square.sum(1), mean, constant
