"""Write summary.csv: everything measured, a row for each run and similarity."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.reporting.summary import summarise
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--space", type=Path, required=True, help="folder that holds runs/")
    args.add_argument("--code", type=json.loads, required=True, help="code hash by model, JSON")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    config = load_config(json.loads(given.config))
    write_table(summarise(config, given.space, given.code), given.out, "summary")


if __name__ == "__main__":
    with one_line_errors():
        main()
