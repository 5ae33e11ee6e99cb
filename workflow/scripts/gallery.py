"""What the scripts that rank a similarity matrix share: the gallery, and what judges a ranking."""

from __future__ import annotations

import argparse
from pathlib import Path

from arguments import add_tables, section
from polymatch.data.captions import Queries
from polymatch.data.splits import SplitReader
from polymatch.evaluation.record import Evidence, read_evidence
from polymatch.settings.stages import EvaluationSettings


def add_gallery(to: argparse.ArgumentParser) -> None:
    """Add the tables, the items that have features, and how they are evaluated."""
    add_tables(to)
    to.add_argument("--evaluation", type=section(EvaluationSettings), required=True)
    to.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")


def add_evidence(to: argparse.ArgumentParser) -> None:
    """Add what further figures are computed from."""
    to.add_argument("--semantic", type=Path, help=".npz, for average semantic precision")
    to.add_argument("--categories", type=Path, help="Parquet, for plausible-match R-precision")


def read_gallery(args: argparse.Namespace) -> tuple[list[str], Queries]:
    """The test split's items and queries, of the arguments of :func:`add_gallery`."""
    return _splits(args).gallery("test", args.data.test_captions)


def evidence(args: argparse.Namespace, items: list[str], queries: Queries) -> Evidence:
    """What further figures need, of the arguments of both."""
    columns = _splits(args).caption_queries("test", args.data.test_captions)
    return read_evidence(
        args.evaluation, items, queries.texts, columns, args.semantic, args.categories
    )


def _splits(args: argparse.Namespace) -> SplitReader:
    return SplitReader.open(args.data, args.manifest, args.captions, args.items, Path())
