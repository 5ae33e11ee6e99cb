"""Draw a model's training curves, all seeds in one figure."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.curves import curve_points, training_curves
from polymatch.reporting.figures import save_figure


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument(
        "--histories", type=Path, nargs="+", required=True, help="<model>/<seed>/history.csv"
    )
    args.add_argument("--title", required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    histories = {int(path.parent.name): read_table(path, "history") for path in given.histories}
    points = curve_points(histories)
    save_figure(training_curves(points, given.title), given.out, points, "training_curves")


if __name__ == "__main__":
    with one_line_errors():
        main()
