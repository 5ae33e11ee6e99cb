"""Draw the analog simulation of all models: R@1 against ADC bits, weight noise and drift."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import analog_simulation


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--analog", type=Path, nargs="+", required=True, help="a table a model")
    args.add_argument("--out", type=Path, nargs="+", required=True, help="by suffix: pdf, png, svg")
    given = args.parse_args()
    analog_simulation([read_table(path, "analog") for path in given.analog], given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
