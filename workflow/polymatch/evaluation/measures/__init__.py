"""Metrics that a configuration can add by name (``evaluation.metrics``), a module each.

A module of this package is a metric: its name is the metric's, and it has one function,
``per_query(ranks: DirectionRanks) -> array [Q]``, a figure for each query of one direction in the
unit that the tables show (a share is a percentage). The mean over queries is the metric; its
columns are ``t2v_<name>`` and ``v2t_<name>``, bounded by the same bootstrap as the others.

Decision: a figure for each query, not for the whole direction, so that intervals and seeds need
nothing more of a metric. Ties are to be broken in expectation, as everywhere. Figures that need
more than the ranks (semantic similarity, categories) are kept with them and stand beside these.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np

from polymatch.errors import NumericsError
from polymatch.evaluation.ranks import DirectionRanks


def figures(ranks: DirectionRanks, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Figures [Q] of the metrics ``names``, and those kept with the ranks, NaN where left out."""
    return {name: per_query(name, ranks) for name in names} | dict(ranks.further)


def per_query(name: str, ranks: DirectionRanks) -> np.ndarray:
    """Figures [Q] of the metric ``name`` for the Q queries of one direction.

    Raises:
        NumericsError: the module gives something other than a finite figure for each query.
    """
    module = importlib.import_module(f"{__name__}.{name}")
    figures = np.asarray(module.per_query(ranks), dtype=np.float64)
    where = f"metric {name!r}: {name}.per_query"
    if figures.shape != ranks.better.shape:
        raise NumericsError(
            f"{where} returned shape {figures.shape} for {len(ranks.better)} queries; "
            "return one figure a query, without taking their mean"
        )
    if not np.isfinite(figures).all():
        bad = int(np.argmin(np.isfinite(figures)))
        raise NumericsError(
            f"{where} is {figures[bad]} for query {ranks.query_ids[bad]!r}; "
            "return a finite figure for every query"
        )
    return figures
