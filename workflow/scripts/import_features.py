"""Write the features that come with a data set into stores as extraction writes them."""

import argparse
from pathlib import Path

import pandas as pd

from arguments import add_tables, section
from polymatch.data.tables import read_table, write_table
from polymatch.errors import one_line_errors
from polymatch.settings.encoder import EncoderSettings
from polymatch.sources import given_source, given_stores


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    add_tables(args)
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--folder", type=Path, required=True, help="folder of the stores to write")
    args.add_argument("--problems", type=Path, required=True, help="items left out, CSV")
    given = args.parse_args()
    source = given_source(given.data.source)
    # COCO's 600,000 captions take more memory than the features that pass through.
    needed = "captions" in source.FEATURES
    problems = source.write_features(
        given.data,
        read_table(given.manifest, "manifest"),
        read_table(given.captions, "captions") if needed else pd.DataFrame(),
        {name: given.folder / f"{name}.h5" for name in given_stores(given.data)},
        {
            "encoder": given.encoder.name,
            "dataset": given.data.name,
            "command": "import_features",
        },
    )
    if problems is None:
        problems = pd.DataFrame(columns=["table", "row", "id", "problem"])
    write_table(problems, given.problems, "problems")


if __name__ == "__main__":
    with one_line_errors():
        main()
