"""Polynomials that the published code saved, as surrogates.

The published ``fit_poly`` writes degree, ``coeff`` (scikit-learn's order, of ed and vd as they are)
and ``bias``; a checkpoint of ``train_poly`` holds the same under ``poly``. What they were fitted on
is not saved, so their region is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from polymatch.errors import DataError
from polymatch.surrogate.polynomial import HIGHEST_DEGREE, PolynomialSurrogate, term_count
from polymatch.surrogate.region import FittedRegion

_TEACHER = {"K": "samples", "a": "scale", "b": "shift"}


def surrogate_from_published(values: Any, where: str) -> PolynomialSurrogate:
    """Return the surrogate that ``values``, a dict of the published code, describes.

    ``where`` names the file in errors.

    Raises:
        DataError: a key is missing or wrong, the coefficients do not make the degree, or the
            polynomial was fitted to probabilities and not to their logits.
    """
    if not isinstance(values, Mapping):
        raise DataError(f"{where}: holds a {type(values).__name__}, not the dict of a polynomial")
    absent = [key for key in ("degree", "coeff", "bias") if key not in values]
    if absent:
        raise DataError(
            f"{where}: no {', '.join(map(repr, absent))} in it, so not a polynomial of the "
            f"published code (it has: {', '.join(map(str, values)) or 'nothing'})"
        )
    try:
        degree, bias = int(values["degree"]), float(values["bias"])
        coefficients = torch.as_tensor(values["coeff"]).double().flatten().numpy()
        alpha = float(values.get("alpha") or 0.0)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{where}: not the numbers of a polynomial ({error})") from error
    if not 1 <= degree <= HIGHEST_DEGREE or len(coefficients) != term_count(degree):
        wanted = f"{term_count(degree)}" if 1 <= degree <= HIGHEST_DEGREE else "none"
        raise DataError(
            f"{where}: {len(coefficients)} coefficients for degree {degree}, which has {wanted}; "
            f"degrees are 1 to {HIGHEST_DEGREE}, coefficients in scikit-learn's order without bias"
        )
    if not torch.isfinite(torch.tensor([bias, alpha, *coefficients])).all():
        raise DataError(f"{where}: a coefficient is NaN or infinite; fit the polynomial again")
    if not values.get("fit_logit", True):
        raise DataError(
            f"{where}: fitted to probabilities (fit_logit is False), which cannot stand in for "
            "logits; fit it again with --fit_logit"
        )
    meta = values.get("teacher_meta")
    known = meta if isinstance(meta, Mapping) else {}
    teacher = {name: known[key] for key, name in _TEACHER.items() if known.get(key) is not None}
    return PolynomialSurrogate(
        degree,
        (0.0, 0.0),
        (1.0, 1.0),
        coefficients,
        bias,
        FittedRegion.unknown(),
        alpha,
        published=True,
        teacher={"source": "published", **teacher},
    )
