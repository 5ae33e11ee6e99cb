"""Write the features that come with a data set into the stores that extraction would write."""

import argparse
from pathlib import Path

from arguments import add_tables, section
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.settings.stages import EncoderSettings
from polymatch.sources import given_source


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    add_tables(args)
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--pooled", type=Path, required=True, help="item features to write, HDF5")
    args.add_argument("--caption-features", type=Path, required=True, help="likewise, captions")
    given = args.parse_args()
    given_source(given.data.source).write_features(
        given.data,
        read_table(given.manifest, "manifest"),
        read_table(given.captions, "captions"),
        {"pooled": given.pooled, "captions": given.caption_features},
        {
            "encoder": given.encoder.name,
            "dataset": given.data.name,
            "command": "import_features",
        },
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
