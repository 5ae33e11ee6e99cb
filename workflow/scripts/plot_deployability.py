"""Draw the analog simulation of all models: R@1 against ADC bits, weight noise and drift."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import analog_simulation, save_figure, simulated_points


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--analog", type=Path, nargs="+", required=True, help="a table a model")
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    points = simulated_points([read_table(path, "analog") for path in given.analog])
    save_figure(analog_simulation(points), given.out, points, "deployability")


if __name__ == "__main__":
    with one_line_errors():
        main()
