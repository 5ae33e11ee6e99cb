"""What the scripts' command lines share; importing it makes the library importable too."""

from __future__ import annotations

import argparse
import atexit
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from polymatch.data.splits import SplitReader, Tags
from polymatch.settings.section import Section
from polymatch.settings.stages import DataSettings

# Searching what torch and others leave for garbage takes half a second at the end of each job.
atexit.register(gc.freeze)


def section(kind: type[Section]) -> Callable[[str], Any]:
    """Read an argument as a section of the configuration, written as JSON."""
    return kind.model_validate_json


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser that has --threads."""
    result = argparse.ArgumentParser(description=about)
    result.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    return result


def add_tables(to: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the data section and the two tables."""
    about = "data section, JSON"
    to.add_argument("--data", type=section(DataSettings), required=required, help=about)
    to.add_argument("--manifest", type=Path, required=required)
    to.add_argument("--captions", type=Path, required=required)


def add_embeddings(to: argparse.ArgumentParser) -> None:
    """Add the tables and the two stores of embeddings."""
    add_tables(to)
    to.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")
    to.add_argument("--embedded-captions", type=Path, required=True, help="of captions, HDF5")


def add_taught(to: argparse.ArgumentParser) -> None:
    """Add what some models are trained with beside items and captions."""
    to.add_argument("--tags", type=Path, help="concept tags of the items, Parquet")
    to.add_argument("--tag-vocabulary", type=Path, help="which tags there are, JSON")
    to.add_argument("--word-vectors", type=Path, help="what the words start from, HDF5")


def reader(args: argparse.Namespace) -> SplitReader:
    """Open the splits that the arguments of :func:`add_embeddings` and others name."""
    tags = Tags(args.tags, args.tag_vocabulary) if getattr(args, "tags", None) else None
    return SplitReader.open(
        args.data, args.manifest, args.captions, args.items, args.embedded_captions, tags
    )
