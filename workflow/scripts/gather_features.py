"""Put the parts that shards wrote together: feature stores, or tables of what was left out."""

import argparse
from pathlib import Path

import pandas as pd

from arguments import DataSettings  # noqa: F401  (makes the library importable)
from polymatch.data.shards import gather_features
from polymatch.data.tables import read_table, write_table
from polymatch.errors import one_line_errors


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("parts", type=Path, nargs="+", help="in the order of the shards")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    if given.out.suffix == ".h5":
        gather_features(given.parts, given.out)
    else:
        tables = [read_table(part, given.out.stem) for part in given.parts]
        write_table(pd.concat(tables, ignore_index=True), given.out, given.out.stem)


if __name__ == "__main__":
    with one_line_errors():
        main()
