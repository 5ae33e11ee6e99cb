"""Draw R@1 against latency."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import latency_points, r1_against_latency, save_figure


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--leaderboard", type=Path, required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    points = latency_points(read_table(given.leaderboard, "leaderboard"))
    save_figure(r1_against_latency(points), given.out, points, "r1_latency")


if __name__ == "__main__":
    with one_line_errors():
        main()
