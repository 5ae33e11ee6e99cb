"""Regularised CCA: a shared space for encoders that have none.

Vinod, "Canonical ridge and econometrics of joint production", 1976: the ridge is added to both
covariances; here it is a share (the shrinkage) of their mean eigenvalue, so that one figure fits
encoders of any scale. Directions are weighted by a power of their canonical correlation (Gong et
al., "A multi-view embedding space for modeling internet images, tags, and their semantics", 2014).
Item features
may be taken to a signed power before that: pooled activations are skewed, and their square root is
closer to a normal distribution (Perronnin et al., "Improving the Fisher kernel", 2010). Shrinkage,
width and that power are chosen on the validation split by R-sum.

Linear algebra is in float64: the covariance of 1280 features from 1,000 items has no full rank.
Features of any number are taken in blocks (:mod:`.pair_moments`); val's are in memory.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.linalg import cholesky, solve_triangular, svd
from tqdm import tqdm

from polymatch.data.splits import RetrievalSet, StoredTrainingSet, TrainingSet
from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import retrieval_metrics
from polymatch.files import written_atomically
from polymatch.models.pair_moments import PairMoments, pair_moments, unit_rows
from polymatch.settings.stages import AlignmentSettings

Array = NDArray[np.float64]

_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class Alignment:
    """Two maps into one space: ``normalize((normalize(x) - mean) @ weights)`` for each side.

    Item features are taken to the signed power ``root`` first.
    """

    item_mean: Array
    item_weights: Array
    caption_mean: Array
    caption_weights: Array
    root: float = 1.0

    @property
    def width(self) -> int:
        """Width of the space."""
        return self.item_weights.shape[1]

    def items(self, features: NDArray[Any]) -> Array:
        """Embeddings [N, width] of unit length for item features [N, D]."""
        return _mapped(features, self.root, self.item_mean, self.item_weights)

    def captions(self, features: NDArray[Any]) -> Array:
        """Embeddings [M, width] of unit length for caption features [M, D']."""
        return _mapped(features, 1.0, self.caption_mean, self.caption_weights)

    def save(self, path: Path | str) -> None:
        """Write both maps as safetensors, whole or not at all."""
        with written_atomically(path) as partial:
            arrays = {name: np.ascontiguousarray(value) for name, value in asdict(self).items()}
            save_file(arrays, partial)

    @classmethod
    def load(cls, path: Path | str) -> Alignment:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: there is no such file, or it is broken or another one.
        """
        try:
            arrays = load_file(path)
            return cls(**{**arrays, "root": arrays["root"].item()})
        except FileNotFoundError as error:
            raise DataError(
                f"{path}: no such file; run the stage that writes it (align)"
            ) from error
        except (SafetensorError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: not the two maps of an alignment ({error}); delete the file and run its "
                "stage again"
            ) from error


def choose_alignment(
    train: TrainingSet | StoredTrainingSet, val: RetrievalSet, settings: AlignmentSettings
) -> tuple[Alignment, pd.DataFrame]:
    """Fit on ``train`` for every root, shrinkage and width; return the best on ``val``.

    Also returns every candidate's validation figures, with ``chosen`` true for one row; ties go to
    the earlier candidate.

    With ``method: identity`` the encoder's own space is taken, and the table has its one row.

    Raises:
        NumericsError: a width is larger than the space; or the identity, of unequal widths.
    """
    if settings.method == "identity":
        alignment = _identity(*train.widths)
        row = {"root": 1.0, "shrinkage": 0.0, "width": alignment.width}
        return alignment, pd.DataFrame([row | _figures(alignment, val) | {"chosen": True}])
    rows, best = [], None
    fits = list(itertools.product(pair_moments(train, settings.root), settings.shrinkage))
    for moments, shrinkage in tqdm(fits, desc="alignment", mininterval=5):
        bases = CanonicalBases.fit(moments, shrinkage)
        for width in settings.width:
            alignment = bases.alignment(width, settings.power)
            metrics = _figures(alignment, val)
            rows.append({"root": moments.root, "shrinkage": shrinkage, "width": width} | metrics)
            if best is None or metrics["rsum"] > best[0]:
                best = metrics["rsum"], len(rows) - 1, alignment
    assert best is not None  # the settings refuse empty lists
    table = pd.DataFrame(rows)
    table["chosen"] = table.index == best[1]
    return best[2], table


@dataclass(frozen=True)
class CanonicalBases:
    """All canonical directions for one root and shrinkage; an alignment takes the first ones."""

    item_mean: Array
    caption_mean: Array
    item_basis: Array
    caption_basis: Array
    correlations: Array
    root: float

    @classmethod
    def fit(cls, moments: PairMoments, shrinkage: float) -> CanonicalBases:
        """Fit to the moments of a training set's pairs."""
        x_factor = _factor(moments.items, shrinkage)
        y_factor = _factor(moments.captions, shrinkage)
        whitened = solve_triangular(x_factor, moments.cross, lower=True)
        whitened = solve_triangular(y_factor, whitened.T, lower=True).T
        u, correlations, vt = svd(whitened, full_matrices=False)
        return cls(
            moments.item_mean,
            moments.caption_mean,
            solve_triangular(x_factor, u, lower=True, trans="T"),
            solve_triangular(y_factor, vt.T, lower=True, trans="T"),
            correlations,
            moments.root,
        )

    def alignment(self, width: int, power: float) -> Alignment:
        """The first ``width`` directions, weighted by their correlation to ``power``."""
        if width > len(self.correlations):
            raise NumericsError(
                f"alignment.width: {width} is more than the {len(self.correlations)} directions "
                "that the narrower encoder has"
            )
        weights = self.correlations[:width] ** power
        return Alignment(
            self.item_mean,
            self.item_basis[:, :width] * weights,
            self.caption_mean,
            self.caption_basis[:, :width] * weights,
            self.root,
        )


def _identity(item_width: int, caption_width: int) -> Alignment:
    if item_width != caption_width:
        raise NumericsError(
            f"alignment.method: identity needs one width, but items have {item_width} and "
            f"captions {caption_width}; use cca"
        )
    return Alignment(
        np.zeros(item_width), np.eye(item_width), np.zeros(item_width), np.eye(item_width)
    )


def _figures(alignment: Alignment, val: RetrievalSet) -> dict[str, float]:
    items, captions = alignment.items(val.items), alignment.captions(val.captions)
    # One matrix of every item with every query: in float64 a gigabyte for 5,000 and 25,000.
    similarity = items.astype(np.float32) @ captions.astype(np.float32).T
    return retrieval_metrics(similarity, val.item_ids, val.positives)


def _mapped(features: NDArray[Any], root: float, mean: Array, weights: Array) -> Array:
    embeddings = np.empty((len(features), weights.shape[1]))
    step = max(1, _BLOCK_BYTES // (8 * len(weights)))
    for start in range(0, len(features), step):
        rows = unit_rows(features[start : start + step], root) - mean
        embeddings[start : start + step] = unit_rows(rows @ weights)
    return embeddings


def _factor(covariance: Array, shrinkage: float) -> Array:
    """Lower Cholesky factor of a covariance with a ridge."""
    shrunk = covariance.copy(order="F")
    np.fill_diagonal(shrunk, shrunk.diagonal() + shrinkage * np.trace(shrunk) / len(shrunk))
    try:
        return cholesky(shrunk, lower=True, overwrite_a=True)
    except np.linalg.LinAlgError as error:
        raise NumericsError(
            f"alignment.shrinkage: the covariance is singular at {shrinkage}; use a larger one"
        ) from error
