"""Write the page of all results: one HTML file that needs no network."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.page.contents import PageFiles, page_contents
from polymatch.reporting.page.document import page_html
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--results", type=Path, required=True, help="folder of leaderboard.csv")
    args.add_argument("--space", type=Path, required=True, help="folder that holds runs/")
    args.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")
    args.add_argument("--beside", type=Path, nargs="*", default=[], help="further tables")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    files = PageFiles(given.results, given.space, given.items, given.beside)
    page = page_html(page_contents(load_config(json.loads(given.config)), files))
    with written_atomically(given.out) as partial:
        partial.write_text(page, encoding="utf-8")
    print(f"{given.out}: {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    with one_line_errors():
        main()
