"""Compare two runs: a paired test, and the queries that they answer differently.

RUN is MODEL (all its seeds, as in the leaderboard), MODEL/SEED or the folder of a run. Runs of two
configurations can be compared where both were scored on the same test set: --configfile and
--results say where A is, --configfile-b and --results-b where B is.

  polymatch compare pcme aligned
  polymatch compare poly_domain_5 pcme --similarity poly mean --out comparison.html
  polymatch compare pcme/0 pcme/0 --configfile-b other.yaml --results-b ../other/results
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from polymatch.commands import DEFAULT_CONFIG, add_config
from polymatch.errors import ConfigError
from polymatch.reporting.compared_runs import compare_runs, corrected_p, find_runs
from polymatch.reporting.comparison import Asked
from polymatch.reporting.comparison_text import (
    as_json,
    as_text,
    check_suffix,
    json_text,
    write_comparison,
)
from polymatch.settings.read import read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("run_a", metavar="RUN_A")
    parser.add_argument("run_b", metavar="RUN_B")
    parser.add_argument(
        "--similarity",
        nargs="+",
        metavar="KIND",
        help="of A, and of B if that is another; the model's first if not given",
    )
    parser.add_argument("--direction", choices=get_args(Asked), default="both")
    parser.add_argument(
        "--show", type=int, default=10, metavar="N", help="queries won and lost that are printed"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with every query")
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        help="write it too: every query as .csv, those that changed as .md or .html",
    )
    add_config(parser)
    parser.add_argument(
        "--configfile-b", type=Path, action="append", metavar="FILE", help="B's, if another"
    )
    parser.add_argument("--results-b", type=Path, metavar="FOLDER", help="B's, if another")


def run(args: argparse.Namespace) -> None:
    """Find both, compare them, say it."""
    kinds = args.similarity or [None]
    if len(kinds) > 2:
        raise ConfigError(f"--similarity takes one kind, or one of A and one of B; got {kinds}")
    if args.show < 0:
        raise ConfigError(f"--show {args.show}: how many queries, from 0 up")
    for path in args.out:
        check_suffix(path)
    files = args.configfile or [DEFAULT_CONFIG]
    config = read_config(files)
    other = read_config(args.configfile_b) if args.configfile_b else config
    a = find_runs(config, args.run_a, args.results, kinds[0])
    b = find_runs(other, args.run_b, args.results_b or args.results, kinds[-1])
    comparison = compare_runs(a, b, args.direction)
    corrected = corrected_p(a, b, comparison, a.leaderboard())
    if args.json:
        print(json_text(as_json(comparison, corrected)))
    else:
        print(as_text(comparison, args.show, corrected))
    for path in args.out:
        write_comparison(comparison, path, corrected)
