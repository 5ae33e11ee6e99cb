"""Write and print the leaderboard: models over their seeds, tested against baseline and best."""

import argparse
import json
from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.data.tables import read_table, write_table
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.reporting.leaderboard import leaderboard
from polymatch.reporting.leaderboard_text import as_latex, as_markdown, as_text
from polymatch.settings.config import load_config


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--config", required=True, help="whole configuration, JSON")
    args.add_argument("--space", type=Path, required=True, help="folder that holds runs/")
    args.add_argument("--summary", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--markdown", type=Path, required=True, help="the same for people")
    args.add_argument("--latex", type=Path, required=True, help="the same for a paper")
    given = args.parse_args()
    config = load_config(json.loads(given.config))
    board = leaderboard(config, given.space, read_table(given.summary, "summary"))
    write_table(board, given.out, "leaderboard")
    for path, text in (
        (given.markdown, as_markdown(board, config)),
        (given.latex, as_latex(board, config)),
    ):
        with written_atomically(path) as partial:
            partial.write_text(text, encoding="utf-8")
    print(as_text(board))


if __name__ == "__main__":
    with one_line_errors():
        main()
