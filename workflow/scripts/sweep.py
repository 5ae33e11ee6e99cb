"""Write a sweep's table, and the combination that is best on val as an entry of a config."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.sweeps import best_entry, sweep_table
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--sweep", required=True, help="name of the sweep")
    args.add_argument("--space", type=Path, required=True, help="folder that holds runs/")
    args.add_argument("--table", type=Path, required=True, help="CSV to write")
    args.add_argument("--best", type=Path, required=True, help="YAML to write")
    given = args.parse_args()
    config = load_config(json.loads(given.config))
    table = sweep_table(config, given.sweep, given.space)
    write_table(table, given.table, "sweep")
    with written_atomically(given.best) as path:
        path.write_text(best_entry(config, given.sweep, table), encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
