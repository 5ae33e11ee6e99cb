"""A run's space in two dimensions: items and captions of a split, by PCA and by t-SNE.

t-SNE is openTSNE's: Poličar, Stražar and Zupan, "openTSNE: A Modular Python Library for t-SNE
Dimensionality Reduction and Embedding" (Journal of Statistical Software, 2024). The modality gap is
the distance between the two sides' mean unit vectors: Liang et al., "Mind the Gap" (NeurIPS 2022).

Decisions: vectors are normalised, so that distances are those of cosines; every drawn item comes
with exactly one of its captions, so that both sides weigh the same and each line is one item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from openTSNE import TSNE
from sklearn.decomposition import PCA

from polymatch.errors import DataError, NumericsError
from polymatch.settings.pictures import PicturesSettings

COMPONENTS = 50
_FEWEST_PAIRS = 3
_UNMATCHED = 200_000


@dataclass(frozen=True)
class Plane:
    """P items and a caption of each in two dimensions, [P, 2] both; row p of each is one pair."""

    items: np.ndarray
    captions: np.ndarray


@dataclass(frozen=True)
class Space:
    """What a figure of a space shows.

    Attributes:
        pairs: [P, 2] rows of the drawn items and captions.
        pca, tsne: the pairs in two dimensions.
        explained: share of the variance that each principal component has, at most 50.
        perplexity: of the t-SNE, which may be lower than asked for.
        gap: distance between the mean unit vectors of all items and all captions.
    """

    pairs: np.ndarray
    pca: Plane
    tsne: Plane
    explained: np.ndarray
    perplexity: float
    gap: float


def space_of(
    items: np.ndarray,
    captions: np.ndarray,
    matches: np.ndarray,
    settings: PicturesSettings,
    threads: int = 1,
) -> Space:
    """Project a sample of the matched pairs of a split.

    Args:
        items: [N, D] and ``captions`` [M, D], vectors of one space.
        matches: [P, 2] rows of every matched item and caption.
        settings: how many pairs, the perplexity and the seed.
        threads: of t-SNE.

    Raises:
        NumericsError: the sides differ in width, a vector is zero or not finite, all are the same,
            or fewer than three items have a caption.
    """
    if items.shape[1:] != captions.shape[1:]:
        raise NumericsError(
            f"items have vectors of shape {items.shape[1:]} and captions {captions.shape[1:]}; "
            "only one space can be drawn"
        )
    items, captions = _unit(items, "item"), _unit(captions, "caption")
    pairs = joined_pairs(matches, settings.pairs, settings.seed)
    if len(pairs) < _FEWEST_PAIRS:
        raise NumericsError(
            f"{len(pairs)} item(s) with a caption; a space is drawn of {_FEWEST_PAIRS} or more"
        )
    points = np.concatenate([items[pairs[:, 0]], captions[pairs[:, 1]]])
    if points.shape[1] < 2:  # a plane needs two
        points = np.pad(points, ((0, 0), (0, 1)))
    if np.ptp(points, axis=0).max() == 0:
        raise NumericsError("all vectors are one and the same: the head has collapsed")
    pca = PCA(min(COMPONENTS, *points.shape), svd_solver="full").fit(points)
    # A point has to have three times as many others as its perplexity says it has neighbours.
    perplexity = min(settings.perplexity, (len(points) - 1) / 3)
    placed = TSNE(perplexity=perplexity, random_state=settings.seed, n_jobs=threads).fit(points)
    return Space(
        pairs=pairs,
        pca=_plane(pca.transform(points)[:, :2]),
        tsne=_plane(np.asarray(placed)),
        explained=pca.explained_variance_ratio_,
        perplexity=perplexity,
        gap=float(np.linalg.norm(items.mean(0) - captions.mean(0))),
    )


def joined_pairs(matches: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Draw ``number`` items, or all if there are fewer, each with one of its captions, [P, 2]."""
    random = np.random.default_rng(seed)
    shuffled = matches[random.permutation(len(matches))]
    _, first = np.unique(shuffled[:, 0], return_index=True)
    one_each = shuffled[first]
    return one_each[np.sort(random.permutation(len(one_each))[:number])]


def group_of(manifest: pd.DataFrame, item_ids: list[str], column: str) -> list[str]:
    """Each item's value of ``column``; its group if the data set has no such column."""
    column = column if column in manifest and manifest[column].notna().all() else "group_id"
    values: list[str] = manifest.set_index("item_id")[column].loc[item_ids].tolist()
    return values


def matched_and_unmatched(
    similarity: np.ndarray, matches: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of all matched pairs and of a sample of the others.

    ``similarity`` [N, M] may be a memory map; of more than 200,000 pairs that many are looked at.

    Raises:
        DataError: a matched pair lies outside the matrix.
    """
    if (matches.max(0) >= similarity.shape).any():
        raise DataError(
            f"similarity has shape {similarity.shape}, but the split has at least "
            f"{matches[:, 0].max() + 1} items and {matches[:, 1].max() + 1} captions; score again"
        )
    of_pair = np.ravel_multi_index(tuple(matches.T), similarity.shape)
    looked_at = np.arange(similarity.size)
    if similarity.size > _UNMATCHED:
        looked_at = np.random.default_rng(seed).integers(0, similarity.size, _UNMATCHED)
    others = np.setdiff1d(looked_at, of_pair)
    return (
        np.asarray(similarity[tuple(matches.T)]),
        np.asarray(similarity[np.unravel_index(others, similarity.shape)]),
    )


def _unit(vectors: np.ndarray, what: str) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = ~np.isfinite(length[:, 0]) | (length[:, 0] == 0)
    if bad.any():
        raise NumericsError(
            f"{int(bad.sum())} {what} vector(s) are zero or not finite, the first in row "
            f"{int(np.argmax(bad))} (counted from 0); such a head has nothing to draw"
        )
    return vectors / length


def _plane(points: np.ndarray) -> Plane:
    half = len(points) // 2
    return Plane(points[:half], points[half:])
