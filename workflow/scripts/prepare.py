"""Read a data set, check it, and write its manifest and captions."""

import argparse
from pathlib import Path

from arguments import section
from polymatch.data.manifest import build_manifest
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.settings.stages import DataSettings
from polymatch.sources import brings_features, read_source


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--settings", type=section(DataSettings), required=True)
    args.add_argument("--manifest", type=Path, required=True)
    args.add_argument("--captions", type=Path, required=True)
    args.add_argument("--problems", type=Path, required=True)
    given = args.parse_args()
    settings = given.settings
    items, captions = read_source(settings)
    prepared = build_manifest(
        items,
        captions,
        settings.root,
        settings.on_bad_item,
        pictures=not brings_features(settings.source),
    )
    write_table(prepared.manifest, given.manifest, "manifest")
    write_table(prepared.captions, given.captions, "captions")
    write_table(prepared.problems, given.problems, "problems")
    print(
        f"{settings.name}: {len(prepared.manifest)} items, {len(prepared.captions)} captions, "
        f"{len(prepared.problems)} left out"
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
