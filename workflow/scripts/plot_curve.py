"""Draw a run's training curve."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import training_curve


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--history", type=Path, required=True)
    args.add_argument("--title", required=True)
    args.add_argument("--out", type=Path, required=True, help="by suffix: pdf, png, svg")
    given = args.parse_args()
    training_curve(read_table(given.history, "history"), given.title, given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
