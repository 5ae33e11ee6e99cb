"""Draw what the teachers cover and where trained heads are."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import save_figure
from polymatch.reporting.teacher_figure import teachers_and_heads


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--points", type=Path, required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    points = read_table(given.points, "teacher_points")
    save_figure(teachers_and_heads(points), given.out, points, "teacher_points")


if __name__ == "__main__":
    with one_line_errors():
        main()
