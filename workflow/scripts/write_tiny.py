"""Write a few videos of a BigFile data set as a data set of its own, for debugging."""

import argparse
from pathlib import Path

from arguments import section
from polymatch.errors import one_line_errors
from polymatch.settings.stages import DataSettings
from polymatch.sources.bigfile_tiny import write_tiny


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", type=section(DataSettings), required=True)
    args.add_argument("--videos", type=int, required=True, help="videos of each split")
    args.add_argument("--folder", type=Path, required=True, help="folder to write")
    given = args.parse_args()
    counts = write_tiny(given.data, given.folder, given.videos)
    print(", ".join(f"{split}: {count} videos" for split, count in counts.items()))


if __name__ == "__main__":
    with one_line_errors():
        main()
