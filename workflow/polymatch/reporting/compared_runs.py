"""Runs as a person names them, with the ranks and the test set that a comparison is made of.

A model's name alone stands for all its seeds, as in the leaderboard; ``MODEL/SEED`` or the folder
of a run for that one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from polymatch.data.splits import SplitReader
from polymatch.data.tables import read_table
from polymatch.errors import ConfigError, DataError
from polymatch.evaluation import RetrievalRanks
from polymatch.reporting.comparison import (
    Asked,
    Comparison,
    TestSet,
    check_same_test_set,
    compared,
)
from polymatch.search.run import TrainedRun
from polymatch.settings.config import Config
from polymatch.settings.explain import suggest
from polymatch.sources import protocol_of


@dataclass(frozen=True)
class ComparedRun:
    """A model's runs, all seeds or one, by one of their similarities.

    Attributes:
        config: whose entry it is.
        kind: the similarity.
        runs: where each seed lies.
        alone: whether one seed was asked for.
    """

    config: Config
    kind: str
    runs: list[TrainedRun]
    alone: bool

    @property
    def name(self) -> str:
        """How it is called in tables: model, similarity, and which seeds."""
        first = self.runs[0]
        if self.alone:
            return f"{first.name} ({self.kind})"
        seeds = f", {len(self.runs)} seeds" if len(self.runs) > 1 else ""
        return f"{first.model} ({self.kind}{seeds})"

    def ranks(self) -> list[RetrievalRanks]:
        """The ranks of every seed.

        Raises:
            DataError: they were not computed, with the command that does.
        """
        return [RetrievalRanks.load(_existing(run, self.kind)) for run in self.runs]

    def test_set(self) -> TestSet:
        """What it was scored on."""
        data, run = self.config.data, self.runs[0]
        splits = SplitReader.open(data, run.manifest, run.captions, run.item_store, Path())
        items, queries = splits.gallery("test", data.test_captions)
        return TestSet(protocol_of(data), items, queries)

    def leaderboard(self) -> pd.DataFrame | None:
        """The leaderboard of the results that it lies in; None where there is none by this code."""
        with suppress(DataError):
            return read_table(self.runs[0].data.parent / "leaderboard.csv", "leaderboard")
        return None


@dataclass(frozen=True)
class CorrectedP:
    """The leaderboard's p-value of the same test: Holm's, over all its rows."""

    p_value: float
    against: str
    rows: int


def find_runs(
    config: Config, name: str, results: Path | str = "results", kind: str | None = None
) -> ComparedRun:
    """Find ``MODEL`` (all seeds), ``MODEL/SEED``, or the folder of a run or of a model.

    Args:
        config: the configuration that the runs are of.
        name: what a person typed.
        results: folder of the results.
        kind: similarity; the entry's first if not given.

    Raises:
        ConfigError: there is no such model, seed or similarity.
        DataError: a run has no checkpoint.
    """
    runs = _opened(config, name, results)
    kinds = runs[0].kinds
    if kind is not None and kind not in kinds:
        raise ConfigError(f"{name}: unknown similarity {kind!r}; {suggest(kind, kinds)}")
    whole = name == runs[0].model or _of_model(Path(name))
    return ComparedRun(config, kind or kinds[0], runs, alone=not whole)


def compare_runs(a: ComparedRun, b: ComparedRun, direction: Asked = "both") -> Comparison:
    """Compare two runs that were found; the first one's settings decide how it is tested.

    Raises:
        DataError: they were not scored on the same test set, or their ranks are missing.
    """
    names = (a.name, b.name)
    test_set = a.test_set()
    check_same_test_set(names, test_set, b.test_set())
    return compared(
        a.ranks(), b.ranks(), test_set, a.config.evaluation, names=names, direction=direction
    )


def corrected_p(
    a: ComparedRun, b: ComparedRun, comparison: Comparison, board: pd.DataFrame | None
) -> CorrectedP | None:
    """What a leaderboard says of the same test, where one of the two is its baseline or best.

    None where it does not state this test, or was written of other runs than these.
    """
    pooled = not (a.alone or b.alone) and a.runs[0].space == b.runs[0].space
    if board is None or not pooled or comparison.headline.name != "rsum":
        return None
    rows = [
        board[(board["model"] == of.runs[0].model) & (board["similarity"] == of.kind)]
        for of in (a, b)
    ]
    if any(len(row) != 1 for row in rows):
        return None
    one, other = (row.iloc[0] for row in rows)
    difference = comparison.headline.test.difference
    if abs((one["rsum"] - other["rsum"]) - difference) > 1e-6:
        return None
    tested = int((board["vs_baseline"] != "other queries").sum()) - 1
    for place in ("baseline", "best"):
        for row, reference in ((one, other), (other, one)):
            if reference[f"vs_{place}"] == "itself" and row[f"vs_{place}"] != "itself":
                return CorrectedP(float(row[f"p_vs_{place}"]), place, tested)
    return None


def _of_model(folder: Path) -> bool:
    return folder.parent.name == "runs" and folder.is_dir()


def _opened(config: Config, name: str, results: Path | str) -> list[TrainedRun]:
    if _of_model(Path(name)):
        seeds = config.runs_of(Path(name).name)
        return [TrainedRun.open(config, str(Path(name) / str(run.seed)), results) for run in seeds]
    first = TrainedRun.open(config, name, results)
    if name != first.model:
        return [first]
    others = config.runs_of(name)[1:]
    return [first, *(TrainedRun.open(config, f"{name}/{run.seed}", results) for run in others)]


def _existing(run: TrainedRun, kind: str) -> Path:
    path = run.folder / f"{kind}.ranks.parquet"
    if not path.is_file():
        raise DataError(f"{path}: no such ranks; compute them first: snakemake --cores 2 {path}")
    return path
