"""Draw a study's trials: history, importance and parallel coordinates, by the names to write."""

import argparse
from pathlib import Path

import arguments
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.tuning_figures import tuning_figures
from polymatch.settings.tuning import TuningSettings


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--settings", type=arguments.section(TuningSettings), required=True)
    args.add_argument("--trials", type=Path, required=True)
    args.add_argument("--out", type=Path, nargs="+", required=True, help="FIGURE.pdf, FIGURE.png")
    given = args.parse_args()
    tuning_figures(read_table(given.trials, "trials"), given.settings, given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
