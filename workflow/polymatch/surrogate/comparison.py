"""One table of teachers: sources of pairs by estimators of the probability, on the same pairs.

Every estimator labels the same pairs of a source, so its error against the exact probability is
its own and not the pairs'. A teacher is worth what its surrogate is worth where trained heads are:
each is fitted, and held against the exact probability on test pairs of trained runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polymatch.errors import NumericsError
from polymatch.settings.stages import TeacherComparisonSettings, TeacherSettings
from polymatch.surrogate.moments import as_tensors, paired_distance_moments
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.probability import METHODS, match_logit
from polymatch.surrogate.teacher import Teacher, configured_teacher

SOURCES = get_args(TeacherSettings.model_fields["source"].annotation)
# Points of each teacher that are kept for the figure.
_SHOWN = 2000
_WARM_UP_PAIRS = 100


class Sides(NamedTuple):
    """Items [N, D] and captions [M, D]: means and, where they are Gaussians, log-variances."""

    mu_items: np.ndarray | Tensor
    logvar_items: np.ndarray | Tensor | None
    mu_captions: np.ndarray | Tensor
    logvar_captions: np.ndarray | Tensor | None


class Comparison(NamedTuple):
    """The table, and the points of its figure: ``kind``, ``name``, ``ed``, ``vd``."""

    table: pd.DataFrame
    points: pd.DataFrame


@dataclass(frozen=True)
class _Head:
    """Sampled test pairs of one trained run: moments and exact logits, [P] each."""

    model: str
    ed: np.ndarray
    vd: np.ndarray
    exact: np.ndarray


def compare_teachers(
    sources: Mapping[str, Sides],
    heads: Mapping[tuple[str, int], Sides],
    settings: TeacherComparisonSettings,
    progress: bool = True,
) -> Comparison:
    """Build a teacher for each source and estimator, and judge it.

    ``sources`` gives, by name of the source, what it draws from: embeddings of train for ``fixed``
    and ``domain`` (of which only the width counts), Gaussians on train for ``pcme``. ``heads`` are
    the Gaussians on test of trained runs, by (model, seed).

    Returns:
        ``table`` as ``workflow/schemas/teachers.schema.json`` describes it. ``points``: up to 2,000
        pairs of each source (kind ``teacher``), the corners of the region that its surrogate is
        fitted on, in order (``region``), and the test pairs of each model (``head``).

    Raises:
        NumericsError: an unknown source; shapes or values that no teacher can be made of.
    """
    if unknown := set(sources) - set(SOURCES):
        raise NumericsError(
            f"teachers: source {sorted(unknown)[0]!r} is not one of {', '.join(SOURCES)}"
        )
    judged = [
        _head(model, sides, settings, np.random.default_rng([settings.seed, number]))
        for number, ((model, _), sides) in enumerate(heads.items())
    ]
    rows, points = [], [_points("head", head.model, head.ed, head.vd) for head in judged]
    for source in (name for name in SOURCES if name in sources):
        sides = sources[source]
        built = {method: _timed(source, method, sides, settings, progress) for method in METHODS}
        exact = built["exact"][0]
        for method, (teacher, seconds) in built.items():
            surrogate = teacher.fit(settings.degree, settings.alpha)
            rows.append(
                {
                    "source": source,
                    "estimator": method,
                    "n_pairs": len(teacher),
                    "seconds": seconds,
                    "pairs_per_second": len(teacher) / seconds,
                    **_estimator_errors(teacher, exact),
                    **_spread(teacher),
                    **{f"fit_{name}": surrogate.errors[name] for name in _FIT_ERRORS},
                    **_errors_at_heads(surrogate, judged),
                }
            )
        some = slice(None, None, -(-len(exact) // _SHOWN))
        points.append(_points("teacher", source, exact.ed[some], exact.vd[some]))
        region = exact.fit(settings.degree, settings.alpha).region
        corners = region.vertices * region.scale + region.centre
        points.append(_points("region", source, *corners.T))
    return Comparison(pd.DataFrame(rows), pd.concat(points, ignore_index=True))


_FIT_ERRORS = ("logit_rms", "logit_max", "probability_mean", "probability_max")


def _timed(
    source: str,
    method: str,
    sides: Sides,
    settings: TeacherComparisonSettings,
    progress: bool,
) -> tuple[Teacher, float]:
    log_variances = None
    if sides.logvar_items is not None and sides.logvar_captions is not None:
        log_variances = (sides.logvar_items, sides.logvar_captions)

    def build(pairs: int, shown: bool) -> Teacher:
        # Checked where the configuration was read; a model is named there, not its Gaussians.
        entry = TeacherSettings(
            source=source,  # type: ignore[arg-type]
            estimator=method,  # type: ignore[arg-type]
            n_pairs=pairs,
            K=settings.K,
            a=settings.a,
            b=settings.b,
            model="given" if source == "pcme" else None,
            seed=settings.seed,
        )
        return configured_teacher(
            entry, sides.mu_items, sides.mu_captions, log_variances, progress=shown
        )

    build(_WARM_UP_PAIRS, False)
    start = time.perf_counter()
    teacher = build(settings.n_pairs, progress)
    return teacher, time.perf_counter() - start


def _estimator_errors(teacher: Teacher, exact: Teacher) -> dict[str, float]:
    logit = teacher.logit - exact.logit
    probability = teacher.probability - exact.probability
    return {
        "logit_error_mean": float(np.abs(logit).mean()),
        "logit_error_max": float(np.abs(logit).max()),
        "logit_bias": float(logit.mean()),
        "probability_error_mean": float(np.abs(probability).mean()),
        "probability_error_max": float(np.abs(probability).max()),
        "probability_bias": float(probability.mean()),
    }


def _spread(teacher: Teacher) -> dict[str, float]:
    return {
        "ed_min": float(teacher.ed.min()),
        "ed_max": float(teacher.ed.max()),
        "vd_min": float(teacher.vd.min()),
        "vd_max": float(teacher.vd.max()),
        "ed_vd_correlation": float(np.corrcoef(teacher.ed, teacher.vd)[0, 1].clip(-1, 1)),
    }


def _head(
    model: str, sides: Sides, settings: TeacherComparisonSettings, rng: np.random.Generator
) -> _Head:
    if sides.logvar_items is None or sides.logvar_captions is None:
        raise NumericsError(f"teachers: model {model!r} gives no log-variances to judge on")
    tensors = as_tensors(
        sides.mu_items, sides.logvar_items, sides.mu_captions, sides.logvar_captions
    )
    a, la, b, lb = (tensor.detach().cpu() for tensor in tensors)
    if not len(a) or not len(b):
        raise NumericsError(f"teachers: model {model!r} has no test pairs")
    rows = torch.from_numpy(rng.integers(0, len(a), settings.test_pairs))
    columns = torch.from_numpy(rng.integers(0, len(b), settings.test_pairs))
    pairs = (a[rows], la[rows], b[columns], lb[columns])
    ed, vd = (moment.numpy() for moment in paired_distance_moments(*pairs))
    return _Head(model, ed, vd, match_logit(*pairs, settings.a, settings.b).numpy())


def _errors_at_heads(surrogate: PolynomialSurrogate, heads: list[_Head]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "test_runs": len(heads),
        "test_outside_share": None,
        "test_logit_error_max": None,
        "test_probability_error_max": None,
    }
    if not heads:
        return figures
    ed, vd, exact = (
        np.concatenate([getattr(head, name) for head in heads]) for name in ("ed", "vd", "exact")
    )
    fitted = surrogate.logits(ed, vd)
    # Every run has as many pairs, so the mean over pairs is the mean over runs.
    figures["test_outside_share"] = surrogate.region.outside_share(ed, vd)
    figures["test_logit_error_max"] = float(np.abs(fitted - exact).max())
    difference = 0.5 * np.abs(np.tanh(0.5 * fitted) - np.tanh(0.5 * exact))
    figures["test_probability_error_max"] = float(difference.max())
    return figures


def _points(kind: str, name: str, ed: np.ndarray, vd: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"kind": kind, "name": name, "ed": ed, "vd": vd})
