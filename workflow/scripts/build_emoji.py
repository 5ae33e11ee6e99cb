"""Build resources/emoji from the pinned upstream archives (about a minute, 730 MB of downloads)."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from polymatch.errors import one_line_errors
from polymatch.sources.emoji_build import build

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--downloads", type=Path, required=True, help="where the archives lie or go"
    )
    parser.add_argument("--out", type=Path, default=Path("resources/emoji"))
    arguments = parser.parse_args()
    with one_line_errors():
        build(arguments.downloads, arguments.out)
