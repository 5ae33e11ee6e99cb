"""Draw where in (ed, vd) a surrogate can be trusted: its error against the exact probability."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.errors import one_line_errors
from polymatch.reporting.error_map_figure import error_map_figure
from polymatch.reporting.figures import save_figure
from polymatch.surrogate import PolynomialSurrogate, Teacher
from polymatch.surrogate.error_map import error_map


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--surrogate", type=Path, required=True, help="JSON")
    args.add_argument("--teacher", type=Path, required=True, help="what it was fitted to, Parquet")
    args.add_argument("--title", required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    surrogate = PolynomialSurrogate.load(given.surrogate)
    errors = error_map(surrogate, Teacher.load(given.teacher))
    title = f"{given.title}: degree {surrogate.degree}"
    save_figure(error_map_figure(errors, title), given.out, errors, "error_map")


if __name__ == "__main__":
    with one_line_errors():
        main()
