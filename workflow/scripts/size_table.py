"""Write a table of sizes and figures: as CSV, as Markdown for people, and as a figure."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.figures import save_figure
from polymatch.reporting.size_figure import table_figure
from polymatch.reporting.size_table import as_markdown, size_table
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--name", required=True, help="name of the table")
    args.add_argument("--space", type=Path, required=True, help="folder that holds runs/")
    args.add_argument("--table", type=Path, required=True, help="CSV to write")
    args.add_argument("--markdown", type=Path, required=True, help="the same for people")
    args.add_argument("--figures", type=Path, nargs="+", required=True, help="pdf, png, svg")
    given = args.parse_args()
    config = load_config(json.loads(given.config))
    table = size_table(config, given.name, given.space)
    save_figure(table_figure(table), given.figures)
    with written_atomically(given.markdown) as path:
        path.write_text(as_markdown(table), encoding="utf-8")
    write_table(table, given.table, "size_table")
    print(as_markdown(table))


if __name__ == "__main__":
    with one_line_errors():
        main()
