"""The teacher: pairs of Gaussians, the moments of their distance and their match probability.

Where the pairs come from:

- ``fixed``: unit embeddings as means and one log-variance for all (the published command).
- ``pcme``: Gaussians as they are, means and log-variances given item by item.
- ``domain``: Gaussians made up so as to cover what a trained head can reach (see
  :mod:`polymatch.surrogate.pairs`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from polymatch.errors import DataError, NumericsError
from polymatch.files import written_atomically
from polymatch.settings.stages import TeacherSettings
from polymatch.surrogate.moments import as_tensors
from polymatch.surrogate.pairs import (
    Estimate,
    domain,
    draw_pairs,
    general,
    isotropic,
    squared_distances,
)
from polymatch.surrogate.polynomial import PolynomialSurrogate
from polymatch.surrogate.probability import check_settings
from polymatch.surrogate.threads import one_thread

SOURCES = ("fixed", "pcme", "domain")
_COLUMNS = ("ed", "vd", "logit", "probability", "weight")
_METADATA = b"polymatch.teacher"


@dataclass(frozen=True, eq=False)
class Teacher:
    """P points to fit: moments ``ed``, ``vd``, ``logit``, ``probability``, ``weight``, each [P]."""

    ed: np.ndarray
    vd: np.ndarray
    logit: np.ndarray
    probability: np.ndarray
    weight: np.ndarray
    metadata: dict[str, Any]

    def __len__(self) -> int:
        return len(self.ed)

    def fit(self, degree: int, alpha: float = 1e-3, published: bool = False) -> PolynomialSurrogate:
        """Fit a surrogate to this teacher (see :meth:`PolynomialSurrogate.fit`)."""
        return PolynomialSurrogate.fit(
            self.ed,
            self.vd,
            self.probability,
            degree,
            alpha,
            published,
            logit=self.logit,
            weights=self.weight,
            teacher=self.metadata,
        )

    def save(self, path: Path | str) -> None:
        """Write Parquet, with the settings in its schema's metadata."""
        table = pa.table({name: getattr(self, name) for name in _COLUMNS})
        table = table.replace_schema_metadata({_METADATA: json.dumps(self.metadata).encode()})
        with written_atomically(path) as partial:
            pq.write_table(table, partial)

    @classmethod
    def load(cls, path: Path | str) -> Teacher:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file is not such a table.
        """
        try:
            table = pq.read_table(path)
            metadata = json.loads((table.schema.metadata or {})[_METADATA])
            columns = [table.column(name).to_numpy() for name in _COLUMNS]
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise DataError(f"{path}: not a saved teacher ({error}); build it again") from error
        ed, vd, logit, probability, weight = columns
        return cls(ed, vd, logit, probability, weight, metadata)


def build_teacher(
    mu_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    *,
    source: str = "fixed",
    pairs: int = 300_000,
    estimator: str = "monte_carlo",
    samples: int = 10,
    scale: float = 0.1,
    shift: float = 0.0,
    log_variance: float | tuple[np.ndarray | Tensor, np.ndarray | Tensor] = -5.0,
    bounds: tuple[float, float] = (-5.0, 2.0),
    seed: int = 0,
    matched: np.ndarray | None = None,
    matched_share: float = 0.0,
    nodes: int = 32,
    progress: bool = True,
) -> Teacher:
    """Draw pairs, take their moments and estimate their match probabilities.

    ``mu_items`` [N, D] and ``mu_captions`` [M, D] are embeddings (``fixed`` takes them to unit
    length; of ``domain`` only D is used). ``log_variance`` is one number for ``fixed``, and
    ``pcme`` needs the arrays ([N, D], [M, D]). ``bounds`` are the log-variances' in ``domain``.
    ``estimator`` is a method of :func:`polymatch.surrogate.match_probability`. Pairs are random;
    where ``matched`` [M] gives each caption's item, ``matched_share`` of them are matched pairs.
    The same ``seed`` gives the same teacher.

    Raises:
        NumericsError: an unknown source or estimator, a number out of range, embeddings that do
            not fit together, are not finite or (``fixed``) are zero.
    """
    check_settings(scale, shift, estimator, samples, nodes)
    if source not in SOURCES:
        raise NumericsError(f"teacher: source {source!r} is not one of {', '.join(SOURCES)}")
    if pairs < 1:
        raise NumericsError(f"teacher: pairs is {pairs}; it must be 1 or more")
    if not bounds[0] < bounds[1]:
        raise NumericsError(f"teacher: bounds {bounds} of the log-variance are not in order")
    if not 0 <= matched_share <= 1 or (matched_share > 0 and matched is None):
        raise NumericsError(
            f"teacher: matched_share is {matched_share}; it must be in [0, 1], with `matched` given"
        )
    items, item_logvar, captions, caption_logvar = _gaussians(
        mu_items, mu_captions, source, log_variance
    )
    rng = np.random.default_rng(seed)
    estimate = Estimate(
        estimator, samples, nodes, scale, shift, torch.Generator().manual_seed(seed), progress
    )
    width = items.shape[1]
    with one_thread():
        if source == "domain":
            ed, vd, logs = domain(width, pairs, bounds, rng, estimate)
        else:
            rows, columns = draw_pairs(
                len(items), len(captions), pairs, rng, matched, matched_share
            )
            if isinstance(log_variance, tuple):
                sides = (items, item_logvar, captions, caption_logvar)
                ed, vd, logs = general(sides, rows, columns, estimate)
            else:
                square = squared_distances(items, captions, rows, columns)
                ed, vd, logs = isotropic(square, width, float(log_variance), estimate)
    logit = (logs[0] - logs[1]).numpy()
    weight = np.ones(pairs)
    if source == "domain":
        weight = 1 / (1 + logit**2)
        weight /= weight.mean()
    metadata = {
        "source": source,
        "estimator": estimator,
        "samples": samples if estimator == "monte_carlo" else None,
        "scale": float(scale),
        "shift": float(shift),
        "log_variance": None if isinstance(log_variance, tuple) else float(log_variance),
        "bounds": list(map(float, bounds)) if source == "domain" else None,
        "matched_share": float(matched_share),
        "pairs": int(pairs),
        "seed": int(seed),
        "width": int(width),
    }
    return Teacher(ed.numpy(), vd.numpy(), logit, logs[0].exp().numpy(), weight, metadata)


def configured_teacher(
    settings: TeacherSettings,
    mu_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    log_variances: tuple[np.ndarray | Tensor, np.ndarray | Tensor] | None = None,
    progress: bool = True,
) -> Teacher:
    """Build the teacher that an entry of the configuration describes (:func:`build_teacher`).

    ``log_variances`` [N, D] and [M, D] belong to the means; only the source ``pcme`` takes them.
    """
    return build_teacher(
        mu_items,
        mu_captions,
        source=settings.source,
        estimator=settings.estimator,
        pairs=settings.n_pairs,
        samples=settings.K,
        scale=settings.a,
        shift=settings.b,
        log_variance=settings.log_variance if log_variances is None else log_variances,
        bounds=(settings.min_logvar, settings.max_logvar),
        seed=settings.seed,
        progress=progress,
    )


def _gaussians(
    mu_items: np.ndarray | Tensor,
    mu_captions: np.ndarray | Tensor,
    source: str,
    log_variance: float | tuple[np.ndarray | Tensor, np.ndarray | Tensor],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Check and return means and, for ``pcme``, log-variances (else the means stand in)."""
    if isinstance(log_variance, tuple):
        if source != "pcme":
            raise NumericsError(f"teacher: source {source!r} takes one log_variance, not arrays")
        both = as_tensors(mu_items, log_variance[0], mu_captions, log_variance[1])
    else:
        if source == "pcme":
            raise NumericsError("teacher: source 'pcme' needs log_variance as two arrays")
        if not np.isfinite(log_variance):
            raise NumericsError(f"teacher: log_variance is {log_variance}; it must be finite")
        both = as_tensors(mu_items, mu_items, mu_captions, mu_captions)
    items, item_logvar, captions, caption_logvar = (tensor.detach().cpu() for tensor in both)
    for name, values in (("items", items), ("captions", captions)):
        if source != "domain" and not len(values):
            raise NumericsError(f"teacher: there are no {name}")
    for name, values in (
        ("items", items),
        ("captions", captions),
        ("items' log-variances", item_logvar),
        ("captions' log-variances", caption_logvar),
    ):
        bad = ~torch.isfinite(values).all(1)
        if bool(bad.any()):
            row = int(bad.nonzero()[0, 0])
            raise NumericsError(f"teacher: row {row} of the {name} is not finite")
    if source == "fixed":
        items, captions = _unit(items, "items"), _unit(captions, "captions")
    return items, item_logvar, captions, caption_logvar


def _unit(means: Tensor, name: str) -> Tensor:
    norm = means.norm(dim=1, keepdim=True)
    if bool((norm == 0).any()):
        row = int((norm[:, 0] == 0).nonzero()[0, 0])
        raise NumericsError(f"teacher: row {row} of the {name} is zero and has no direction")
    return means / norm
