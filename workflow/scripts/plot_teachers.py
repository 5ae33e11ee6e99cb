"""Draw what the teachers cover and where trained heads are."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.teacher_figure import teachers_and_heads


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--points", type=Path, required=True)
    args.add_argument("--out", type=Path, nargs="+", required=True, help="by suffix: pdf, png, svg")
    given = args.parse_args()
    teachers_and_heads(read_table(given.points, "teacher_points"), given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
