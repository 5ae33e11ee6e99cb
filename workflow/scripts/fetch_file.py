"""Bring one file of a data set from its mirrors, unpack it if asked, and say what is there."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from polymatch.data.downloads import fetch
from polymatch.data.remote import RemoteFile
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--file", required=True, help="one remote file, JSON")
    args.add_argument("--root", type=Path, required=True, help="folder that it goes to")
    args.add_argument("--out", type=Path, required=True, help="record of what is there, JSON")
    given = args.parse_args()
    record = fetch(RemoteFile.from_json(given.file), given.root)
    with written_atomically(given.out) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
