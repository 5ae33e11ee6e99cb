"""Draw a run's R@K over K and the histogram of its ranks."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import save_figure
from polymatch.reporting.rank_figure import rank_figure


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--curve", type=Path, required=True, help="R@K over K, CSV")
    args.add_argument("--histogram", type=Path, required=True, help="of the ranks, CSV")
    args.add_argument("--title", required=True)
    args.add_argument("--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png")
    given = args.parse_args()
    curve = read_table(given.curve, "recall_curve")
    histogram = read_table(given.histogram, "rank_histogram")
    save_figure(rank_figure(curve, histogram, given.title), given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
