"""Draw how latency grows with the gallery."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import save_figure
from polymatch.reporting.growth_figure import gallery_growth, growth_points


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument(
        "--growth", type=Path, nargs="+", required=True, help="<model>/<seed>/<kind>.growth.csv"
    )
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    growths = {
        (path.parents[1].name, path.name.split(".")[0]): read_table(path, "growth")
        for path in given.growth
    }
    points = growth_points(growths)
    save_figure(gallery_growth(points), given.out, points, "gallery_growth")


if __name__ == "__main__":
    with one_line_errors():
        main()
