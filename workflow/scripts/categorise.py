"""Write the categories of a data set's items, which plausible-match R-precision compares."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.categories import category_table
from polymatch.data.tables import read_table, write_table
from polymatch.errors import one_line_errors


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--source", required=True, help="annotation file, or `groups`")
    args.add_argument("--manifest", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True, help="Parquet to write")
    given = args.parse_args()
    table = category_table(given.source, read_table(given.manifest, "manifest"))
    write_table(table, given.out, "categories")
    print(f"{table['category'].nunique()} categories of {table['item_id'].nunique()} items")


if __name__ == "__main__":
    with one_line_errors():
        main()
