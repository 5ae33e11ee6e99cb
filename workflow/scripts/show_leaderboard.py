"""Print the leaderboard, or put it between the markers of a Markdown file."""

import argparse
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.leaderboard_text import as_text

BEGIN, END = "<!-- leaderboard: begin -->", "<!-- leaderboard: end -->"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("leaderboard", type=Path)
    args.add_argument("--into", type=Path, help="Markdown file with the two markers")
    given = args.parse_args()
    board = read_table(given.leaderboard, "leaderboard")
    if given.into is None:
        print(as_text(board))
        return
    before, rest = given.into.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    with written_atomically(given.into) as path:
        text = f"{before}{BEGIN}\n{as_text(board, markdown=True)}\n{END}{after}"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
