"""Draw a sweep's table."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.reporting.figures import save_figure
from polymatch.reporting.sweep_figures import draw_sweep
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--sweep", required=True, help="name of the sweep")
    args.add_argument("--table", type=Path, required=True)
    args.add_argument("--out", type=Path, nargs="+", required=True, help="by suffix: pdf, png, svg")
    given = args.parse_args()
    config = load_config(json.loads(given.config))
    table = read_table(given.table, "sweep")
    sweep = config.sweep_entry(given.sweep)
    save_figure(draw_sweep(table, sweep, config.points[given.sweep]), given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
