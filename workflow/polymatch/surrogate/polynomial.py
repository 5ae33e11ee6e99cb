"""The surrogate: logit of the match probability as a polynomial of the distance moments.

logit(p) ~ bias + sum of c_ij ed^i vd^j over 1 <= i + j <= degree, by ridge regression. Decisions:

- ed and vd are standardised before their powers are taken. Left as they are (``published=True``,
  the published fit) their powers are so small that a ridge of 1e-3 flattens the fit almost
  completely.
- The ridge is solved from a QR factorisation built block by block, which keeps the accuracy that
  normal equations would square away and holds no more than one block of the design matrix.
- Probabilities of exactly 0 or 1 have no logit. Unless their logits are given they are left out
  of the fit and counted in ``errors["left_out"]``; clipping them to 1e-6, as the published fit
  does, makes a plateau that the polynomial then spends its terms on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from polymatch.errors import DataError, NumericsError
from polymatch.files import written_atomically
from polymatch.surrogate.moments import elementwise_block, wants_gradient, wide_dtype
from polymatch.surrogate.region import FittedRegion
from polymatch.surrogate.threads import one_thread

HIGHEST_DEGREE = 10
_PUBLISHED_CLIP = 1e-6
_FIT_ROWS = 1 << 15


@dataclass(frozen=True, eq=False)
class PolynomialSurrogate:
    """A fitted polynomial: ``logits(ed, vd)`` of any shape.

    ``coefficients`` are those of the standardised features ((ed, vd) - ``centre``) / ``scale``, in
    the order of scikit-learn's ``PolynomialFeatures(include_bias=False)``: ed, vd, ed^2, ed vd,
    vd^2, ed^3 ... ``errors`` holds the fit's own figures on its teacher, ``teacher`` whatever
    describes the teacher (scale, shift, source ...).
    """

    degree: int
    centre: tuple[float, float]
    scale: tuple[float, float]
    coefficients: np.ndarray
    bias: float
    region: FittedRegion
    alpha: float
    published: bool = False
    errors: dict[str, float] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        ed: np.ndarray | Tensor,
        vd: np.ndarray | Tensor,
        probability: np.ndarray | Tensor,
        degree: int,
        alpha: float = 1e-3,
        published: bool = False,
        logit: np.ndarray | Tensor | None = None,
        weights: np.ndarray | Tensor | None = None,
        teacher: Mapping[str, Any] | None = None,
    ) -> PolynomialSurrogate:
        """Fit logit(``probability``) over P points ``ed``, ``vd``; all are [P].

        ``logit`` replaces log(p / (1 - p)) where the caller knows it better (probabilities that
        underflow). ``weights`` are those of the squares that are summed. ``published`` fits the
        raw features to logits of p clipped to [1e-6, 1 - 1e-6].

        Raises:
            NumericsError: degree outside 1..10, fewer points than terms, a constant ed or vd, a
                value that is not finite, a probability outside [0, 1].

        >>> ed, vd = np.random.default_rng(0).random((2, 100))
        >>> surrogate = PolynomialSurrogate.fit(ed, vd, 1 / (1 + np.exp(ed - vd)), degree=1)
        >>> bool(abs(surrogate.logits(0.5, 0.25) + 0.25) < 1e-4)
        True
        """
        if isinstance(degree, bool) or degree != int(degree) or not 1 <= degree <= HIGHEST_DEGREE:
            raise NumericsError(f"surrogate: degree {degree} is not one of 1 to {HIGHEST_DEGREE}")
        if not (np.isfinite(alpha) and alpha >= 0):
            raise NumericsError(f"surrogate: alpha is {alpha}; the ridge must be 0 or more")
        degree = int(degree)
        x, y, p = (_flat(values) for values in (ed, vd, probability))
        w = np.ones_like(x) if weights is None else _flat(weights)
        target = None if logit is None else _flat(logit)
        _check_points(x, y, p, w, target)
        if published:
            target = _logit(np.clip(p, _PUBLISHED_CLIP, 1 - _PUBLISHED_CLIP))
        elif target is None:
            with np.errstate(divide="ignore"):
                target = _logit(p)
        kept = np.isfinite(target) & (w > 0)
        x, y, p, w, target = (values[kept] for values in (x, y, p, w, target))
        terms = term_count(degree) + 1
        if len(x) < terms:
            raise NumericsError(
                f"surrogate: {len(x)} usable points for the {terms} terms of degree {degree}; "
                "give more pairs or a lower degree"
            )
        for name, values in (("ed", x), ("vd", y)):
            if np.ptp(values) <= 1e-12 * np.abs(values).max():
                raise NumericsError(
                    f"surrogate: {name} is {values[0]:g} at all {len(x)} points; "
                    "a constant column cannot be fitted, take a teacher with more spread"
                )
        centre, scale = ((0.0, 0.0), (1.0, 1.0)) if published else _standards(x, y, w)
        features = ((x - centre[0]) / scale[0], (y - centre[1]) / scale[1])
        coefficients, bias = _ridge(*features, target, w, degree, alpha)
        surrogate = cls(
            degree,
            centre,
            scale,
            coefficients,
            bias,
            FittedRegion.of_points(x, y),
            float(alpha),
            bool(published),
            teacher=dict(teacher or {}),
        )
        fitted = surrogate.logits(x, y)
        difference = np.abs(_sigmoid(fitted) - p)
        surrogate.errors.update(
            logit_rms=float(np.sqrt(np.average((fitted - target) ** 2, weights=w))),
            logit_max=float(np.abs(fitted - target).max()),
            probability_mean=float(difference.mean()),
            probability_max=float(difference.max()),
            points=len(x),
            left_out=int((~kept).sum()),
        )
        return surrogate

    @overload
    def logits(self, ed: np.ndarray | float, vd: np.ndarray | float) -> np.ndarray: ...
    @overload
    def logits(self, ed: Tensor, vd: Tensor) -> Tensor: ...
    def logits(
        self, ed: np.ndarray | Tensor | float, vd: np.ndarray | Tensor | float
    ) -> np.ndarray | Tensor:
        """Return the polynomial at each (ed, vd), in float64 and of their common shape.

        By Horner's rule, differentiable for tensors.
        """
        if not isinstance(ed, Tensor) or not isinstance(vd, Tensor):
            x, y = np.broadcast_arrays(np.asarray(ed, np.float64), np.asarray(vd, np.float64))
            tensors = torch.tensor(x), torch.tensor(y)
            return self._blockwise(*tensors).numpy()
        wide = wide_dtype(ed.device)
        if wants_gradient(ed, vd):
            first = (ed.to(wide) - self.centre[0]) / self.scale[0]
            second = (vd.to(wide) - self.centre[1]) / self.scale[1]
            return horner(self.table(), first, second)
        shape = np.broadcast_shapes(ed.shape, vd.shape)
        return self._blockwise(ed.to(wide).expand(shape), vd.to(wide).expand(shape))

    def check_width(self, width: int) -> None:
        """Raise NumericsError if the teacher's embeddings had another width than ``width``."""
        fitted = self.teacher.get("width")
        if fitted is not None and int(fitted) != width:
            raise NumericsError(
                f"surrogate: fitted for embeddings of width {fitted} but used on width {width}; "
                "moments are divided by the width, fit one for this head"
            )

    def table(self) -> np.ndarray:
        """Return [degree + 1, degree + 1]: the coefficient of x^i y^j, x and y standardised."""
        table = np.zeros((self.degree + 1, self.degree + 1))
        table[0, 0] = self.bias
        for value, (i, j) in zip(self.coefficients, exponents(self.degree), strict=True):
            table[i, j] = value
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return everything that JSON needs to hold the surrogate."""
        return {
            "degree": self.degree,
            "centre": list(self.centre),
            "scale": list(self.scale),
            "coefficients": self.coefficients.tolist(),
            "bias": self.bias,
            "alpha": self.alpha,
            "published": self.published,
            "region": self.region.to_json(),
            "errors": self.errors,
            "teacher": self.teacher,
        }

    def save(self, path: Path | str) -> None:
        """Write the surrogate as JSON."""
        with written_atomically(path) as partial:
            partial.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> PolynomialSurrogate:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file is not such a JSON.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise DataError(
                f"{path}: not a saved surrogate ({reason}); fit and save it again"
            ) from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PolynomialSurrogate:
        """Take back what :meth:`to_dict` gave; ValueError, KeyError or TypeError if it is not."""
        degree = int(values["degree"])
        coefficients = np.array(values["coefficients"], np.float64)
        if not 1 <= degree <= HIGHEST_DEGREE or coefficients.shape != (term_count(degree),):
            raise ValueError(f"{coefficients.size} coefficients do not make degree {degree}")
        centre_ed, centre_vd = (float(value) for value in values["centre"])
        scale_ed, scale_vd = (float(value) for value in values["scale"])
        return cls(
            degree,
            (centre_ed, centre_vd),
            (scale_ed, scale_vd),
            coefficients,
            float(values["bias"]),
            FittedRegion.from_json(values["region"]),
            float(values["alpha"]),
            bool(values["published"]),
            dict(values["errors"]),
            dict(values["teacher"]),
        )

    def _blockwise(self, x: Tensor, y: Tensor) -> Tensor:
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        flat, xs, ys = out.view(-1), x.reshape(-1), y.reshape(-1)
        table = self.table()
        step = elementwise_block(x.device)
        for start in range(0, len(flat), step):
            block = slice(start, start + step)
            bx = (xs[block] - self.centre[0]) / self.scale[0]
            by = (ys[block] - self.centre[1]) / self.scale[1]
            horner_into(flat[block], table, bx, by, torch.empty_like(bx))
        return out


def term_count(degree: int) -> int:
    """Return how many terms, without the bias, total degree ``degree`` in two variables has.

    >>> term_count(4)
    14
    """
    return (degree + 1) * (degree + 2) // 2 - 1


def exponents(degree: int) -> list[tuple[int, int]]:
    """Return the exponents of (ed, vd) term by term, in scikit-learn's order, without the bias.

    >>> exponents(2)
    [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    """
    return [(total - j, j) for total in range(1, degree + 1) for j in range(total + 1)]


def horner(table: np.ndarray, x: Tensor, y: Tensor) -> Tensor:
    """Return sum of ``table[i, j]`` x^i y^j over i + j <= degree; autograd sees through it."""
    degree = len(table) - 1
    value = torch.full_like(x, float(table[degree, 0]))
    for i in range(degree - 1, -1, -1):
        inner = y * float(table[i, degree - i]) + float(table[i, degree - i - 1])
        for j in range(degree - i - 2, -1, -1):
            inner = inner * y + float(table[i, j])
        value = value * x + inner
    return value


def horner_into(out: Tensor, table: np.ndarray, x: Tensor, y: Tensor, inner: Tensor) -> None:
    """Write what :func:`horner` returns into ``out``; ``inner`` is scratch of the same shape.

    One pass over memory for each multiplication and addition together.
    """
    degree = len(table) - 1
    constants = torch.as_tensor(table, dtype=x.dtype, device=x.device)
    for i in range(degree - 1, -1, -1):
        highest = float(table[i, degree - i])
        torch.add(constants[i, degree - i - 1], y, alpha=highest, out=inner)
        for j in range(degree - i - 2, -1, -1):
            torch.addcmul(constants[i, j], inner, y, out=inner)
        if i == degree - 1:
            torch.add(inner, x, alpha=float(table[degree, 0]), out=out)
        else:
            torch.addcmul(inner, out, x, out=out)


def _flat(values: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, np.float64).ravel()


def _check_points(
    ed: np.ndarray, vd: np.ndarray, p: np.ndarray, w: np.ndarray, logit: np.ndarray | None
) -> None:
    named = {"ed": ed, "vd": vd, "probability": p, "weights": w}
    if logit is not None:
        named["logit"] = logit
    for name, values in named.items():
        if len(values) != len(ed):
            raise NumericsError(f"surrogate: {len(values)} values of {name} for {len(ed)} points")
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(bad.argmax())
            raise NumericsError(
                f"surrogate: {name} is {values[row]} at point {row} ({int(bad.sum())} such); "
                "the teacher must be finite everywhere"
            )
    wrong = (p < 0) | (p > 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise NumericsError(
            f"surrogate: probability {p[row]:g} at point {row} is outside [0, 1]; "
            "give probabilities, not logits"
        )
    if (w < 0).any():
        raise NumericsError(f"surrogate: the weight of point {int((w < 0).argmax())} is negative")


def _standards(
    x: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[tuple[float, float], tuple[float, float]]:
    centre = float(np.average(x, weights=w)), float(np.average(y, weights=w))
    variance = (
        np.average((x - centre[0]) ** 2, weights=w),
        np.average((y - centre[1]) ** 2, weights=w),
    )
    return centre, (float(np.sqrt(variance[0])), float(np.sqrt(variance[1])))


def _ridge(
    x: np.ndarray, y: np.ndarray, target: np.ndarray, w: np.ndarray, degree: int, alpha: float
) -> tuple[np.ndarray, float]:
    """Minimise sum w (target - X c - bias)^2 + alpha |c|^2; the bias is not penalised."""
    terms = term_count(degree)
    mean = sum(_design(x[block], y[block], degree) @ w[block] for block in _blocks(len(x)))
    mean = mean / w.sum()
    target_mean = float(np.average(target, weights=w))
    factor = torch.zeros((0, terms + 1), dtype=torch.float64)
    with one_thread():
        for block in _blocks(len(x)):
            rows = np.vstack([_design(x[block], y[block], degree), target[block]])
            rows -= np.append(mean, target_mean)[:, None]
            rows *= np.sqrt(w[block])
            stacked = torch.cat([factor, torch.from_numpy(rows).T])
            factor = torch.linalg.qr(stacked, mode="r").R
    triangle = factor.numpy()
    left = np.concatenate([triangle[:, :-1], np.sqrt(alpha) * np.eye(terms)])
    right = np.concatenate([triangle[:, -1], np.zeros(terms)])
    # Columns of high powers are many orders larger; equal lengths keep the small ones' digits.
    length = np.linalg.norm(left, axis=0)
    length[length == 0] = 1.0
    coefficients = np.linalg.lstsq(left / length, right, rcond=None)[0] / length
    return coefficients, target_mean - float(mean @ coefficients)


def _design(x: np.ndarray, y: np.ndarray, degree: int) -> np.ndarray:
    """Return the terms, [terms, P], in scikit-learn's order: each is a power times x or y."""
    rows = np.empty((term_count(degree), len(x)))
    rows[0], rows[1] = x, y
    first, row = 0, 2
    for total in range(2, degree + 1):
        np.multiply(rows[first : first + total], x, out=rows[row : row + total])
        np.multiply(rows[first + total - 1], y, out=rows[row + total])
        first, row = row, row + total + 1
    return rows


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _FIT_ROWS) for start in range(0, count, _FIT_ROWS)]


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logit))
