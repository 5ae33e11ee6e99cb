"""Make concept tags: which lemmas of the captions are tags, and which of them each item has."""

import argparse
from pathlib import Path

from arguments import add_tables, section
from polymatch.data.lemmas import lemmatiser
from polymatch.data.tables import read_table, write_table
from polymatch.data.tag_files import write_annotations, write_tag_vocabulary
from polymatch.data.tags import tag_items
from polymatch.errors import one_line_errors
from polymatch.settings.tags import TagsSettings


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    add_tables(args)
    args.add_argument("--settings", type=section(TagsSettings), required=True)
    args.add_argument("--vocabulary", type=Path, required=True, help="JSON to write")
    args.add_argument("--tags", type=Path, required=True, help="Parquet to write")
    args.add_argument("--annotations", type=Path, required=True, help="text to write")
    args.add_argument("--untagged", type=Path, required=True, help="CSV to write")
    given = args.parse_args()
    made = tag_items(
        read_table(given.manifest, "manifest"),
        read_table(given.captions, "captions"),
        given.data.train_captions,
        given.settings,
        lemmatiser(),
    )
    write_tag_vocabulary(given.vocabulary, made.vocabulary)
    write_table(made.table, given.tags, "tags")
    write_annotations(given.annotations, made.counts)
    write_table(made.untagged, given.untagged, "untagged_items")
    print(
        f"{len(made.vocabulary)} tags; {len(made.counts) - len(made.untagged)} items have "
        f"{len(made.table)} of them together, {len(made.untagged)} items have none"
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
